from collections import Counter

from bench.profile import share_frames


def test_a_function_counts_once_a_stack_wherever_its_lines_are() -> None:
    stacks = Counter({"run_forever (a.py:1);f (b.py:2);f (b.py:9)": 3, "g (b.py:4)": 1})
    assert share_frames(stacks) == [
        {"function": "f (b.py)", "share": "75%"},
        {"function": "g (b.py)", "share": "25%"},
    ]


def test_nothing_recorded_is_told() -> None:
    assert share_frames(Counter()) == [{"function": "nothing above 3 %", "share": ""}]
