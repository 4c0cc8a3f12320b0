from collections import Counter

from bench.profile import share_frames, share_packages


def test_a_function_counts_once_a_stack_wherever_its_lines_are() -> None:
    stacks = Counter({"run_forever (a.py:1);f (b.py:2);f (b.py:9)": 3, "g (b.py:4)": 1})
    assert share_frames(stacks) == [
        {"function": "f (b.py)", "share": "75%"},
        {"function": "g (b.py)", "share": "25%"},
    ]


def test_nothing_recorded_is_told() -> None:
    assert share_frames(Counter()) == [{"function": "nothing above 3 %", "share": ""}]


def test_a_sample_counts_for_the_innermost_package_that_is_not_pythons_own() -> None:
    ours = "run_forever (asyncio/base_events.py:1);f (ray/serve/a.py:2);g (serve_app/api/b.py:3)"
    stacks = Counter(
        {
            f"{ours};loads (json/__init__.py:4);<module> (x.py:1)": 5,
            f"{ours};h (starlette/responses.py:5)": 3,
            "run_forever (asyncio/base_events.py:1);select (selectors.py:2)": 2,
        }
    )
    assert share_packages(stacks) == [
        {"package": "serve_app/api", "share": "50%"},
        {"package": "starlette", "share": "30%"},
        {"package": "Python", "share": "20%"},
    ]
    assert share_packages(Counter()) == [{"package": "nothing above 3 %", "share": ""}]
