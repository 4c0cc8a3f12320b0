import re
from pathlib import Path

from serve_app.api import errors
from serve_app.api.errors import ANSWERS, find_answer
from serve_app.api.problems import FIELD_CODES, OTHER_FIELD_CODE
from serve_app.core.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    FleetmemError,
    ModelMismatch,
    Unavailable,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "errors.md"


def documented(heading: str) -> list[list[str]]:
    """The rows of the table under a heading, cells without backquotes."""
    section = DOCUMENT.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def descendants(ancestor: type[FleetmemError]) -> set[type[FleetmemError]]:
    return {ancestor}.union(*(descendants(child) for child in ancestor.__subclasses__()))


def test_documented_codes_and_statuses_are_those_of_the_table():
    rows = {(row[0], int(row[1])) for row in documented("Codes")}
    assert rows == {(error.code, answer.status) for error, answer in ANSWERS.items()}


def test_every_documented_code_says_what_it_means_and_what_to_do():
    assert all(len(row) == 4 and all(row) for row in documented("Codes"))


def test_documented_field_codes_are_those_that_are_sent():
    rows = {row[0] for row in documented("Codes of fields")}
    assert rows == {*FIELD_CODES.values(), OTHER_FIELD_CODE}


def test_documented_start_codes_are_the_configuration_errors():
    rows = {row[0] for row in documented("Codes at the start")}
    assert rows == {error.code for error in descendants(ConfigurationError)}


def test_no_two_classes_share_a_code():
    assert len({error.code for error in ANSWERS}) == len(ANSWERS)


def test_every_error_of_the_door_is_in_the_table():
    own = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    assert {kind for kind in own if issubclass(kind, FleetmemError)} <= set(ANSWERS)


def test_codes_are_words_joined_by_underscores():
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code) for error in ANSWERS)


def test_an_error_finds_its_own_row():
    code, answer = find_answer(DatabaseUnavailable("x"))
    assert (code, answer.status) == ("database_unavailable", 503)


def test_an_unlisted_error_is_told_as_its_nearest_ancestor():
    class StorageAway(Unavailable):
        code = "storage_away"

    assert find_answer(StorageAway("x"))[0] == "unavailable"


def test_an_error_that_is_not_ours_is_internal():
    code, answer = find_answer(KeyError("x"))
    assert (code, answer.status) == ("internal_error", 500)


def test_a_configuration_error_while_serving_is_internal_and_keeps_its_text():
    code, answer = find_answer(ModelMismatch("a path"))
    assert (code, answer.status) == ("internal_error", 500)
    assert answer.detail is not None
