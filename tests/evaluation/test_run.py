import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from serve_app.core.errors import ConfigurationError
from serve_app.evaluation.corpora import Corpus, Item, Question
from serve_app.evaluation.locomo import load_conversations, pick_conversations
from serve_app.evaluation.options import EvaluationOptions
from serve_app.evaluation.run import run_evaluation
from tests.evaluation.service import Service


def run(corpora: list[Corpus], **options: object) -> tuple[str, dict[str, dict[str, float]]]:
    """What was printed, and the scores of the first profile."""
    printed = io.StringIO()
    asked = EvaluationOptions(**options)
    report = run_evaluation("sample", corpora, asked, Console(file=printed, width=200))
    return printed.getvalue(), next(iter(report.scores.values()))


def test_conversations_are_stored_once_and_asked_under_each_profile(
    data: Path, service: Service, tmp_path: Path
) -> None:
    output = tmp_path / "scores.json"
    printed, scores = run(
        load_conversations(data), profile=["decay", "hybrid"], alpha=1.0, output=output
    )
    assert len(service.stored) == 2
    assert service.kept == {}
    assert [asked["profile"] for asked in service.asked] == ["decay"] * 2 + ["hybrid"] * 2
    assert [asked.get("alpha") for asked in service.asked] == [1.0, 1.0, None, None]
    assert {asked["as_of"] for asked in service.asked} == {"2023-05-08T13:56:01+00:00"}
    assert {asked["top_k"] for asked in service.asked} == {50}
    assert set(scores["overall"].values()) == {1.0}, "without the adversarial one, n = 1"
    assert scores["5 adversarial"]["MRR@20"] == 0.5
    written = json.loads(output.read_text())
    assert written["profiles"]["decay:alpha=1"] == scores
    assert (written["memories"], written["questions"]) == (2, 2)
    assert "5 adversarial" in printed


def test_two_profiles_are_compared_on_the_same_questions(service: Service, tmp_path: Path) -> None:
    items = tuple(Item(f"i{n}", f"text {n}") for n in range(12))
    questions = tuple(Question(f"q{n}", "?", {f"i{n}": 1}) for n in range(12))
    output = tmp_path / "scores.json"
    profiles = ["decay", "hybrid:top_k=5"]
    printed, _ = run([Corpus("one", items, questions)], profile=profiles, output=output)
    [found] = [
        one
        for one in json.loads(output.read_text())["comparisons"]
        if (one["group"], one["metric"]) == ("overall", "recall@10")
    ]
    assert (found["profile"], found["against"], found["n"]) == ("hybrid:top_k=5", "decay", 12)
    assert found["difference"] == pytest.approx((5 - 10) / 12)
    assert found["low"] <= found["difference"] <= found["high"] < 0
    assert "95 % interval" in printed


def test_corpora_do_not_see_each_other(service: Service) -> None:
    corpora = [
        Corpus(name, (Item("i", name),), (Question("q", "?", {"i": 1}),)) for name in ("one", "two")
    ]
    _, scores = run(corpora, keep=True)
    assert scores["overall"]["recall@5"] == 1
    assert len(service.kept) == 2, "kept as asked"
    assert len({item["user_id"] for item in service.stored}) == 2


def test_a_document_that_asks_is_no_answer_to_itself(service: Service) -> None:
    items = (Item("a", "text"), Item("q", "asks"))
    _, scores = run([Corpus("one", items, (Question("q", "asks", {"a": 1}),))])
    assert scores["overall"]["MRR@20"] == 1


def test_a_failure_leaves_nothing_behind(service: Service) -> None:
    broken = Question("q", "?", {"i": 1})
    corpus = Corpus("one", (Item("i", "text"),), (broken,))
    with pytest.raises(TypeError):
        run([corpus], profile=['decay:top_k="many"'])
    assert service.stored
    assert service.kept == {}


def test_notes_are_told_and_no_questions_are_refused(data: Path, service: Service) -> None:
    corpus = Corpus("one", (Item("i", "text"),), (Question("q", "?", {"i": 1}),), ("3 were cut",))
    assert "one: 3 were cut" in run([corpus])[0]
    with pytest.raises(ConfigurationError, match="no question"):
        run(pick_conversations(load_conversations(data), [], [2]))


def test_a_plot_is_drawn(data: Path, service: Service, tmp_path: Path) -> None:
    picture = tmp_path / "scores.png"
    run(load_conversations(data), profile=["decay", "hybrid"], plot=picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
