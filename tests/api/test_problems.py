import pickle

import pytest

from serve_app.api.errors import NotReady
from serve_app.api.problems import (
    FieldFault,
    FieldsRefused,
    answer_error,
    describe_problem,
    refuse_fields,
)
from serve_app.core.errors import Conflict, InvalidInput, NotFound, Overloaded
from serve_app.logs import REQUEST_ID


def test_a_problem_has_the_members_of_rfc_9457_and_ours():
    problem = describe_problem(NotFound("gone")).model_dump()
    assert list(problem) == ["type", "title", "status", "detail", "code", "request_id"]
    assert problem["type"] == "urn:fleetmem:problem:memory_not_found"


def test_a_missing_memory_is_told_in_memex_words():
    detail = describe_problem(NotFound("no memory 5 of tenant 3")).detail
    assert detail == "Memory not found or does not belong to this agent."


@pytest.mark.parametrize("error", [ValueError("secret"), Overloaded("secret"), Conflict("secret")])
def test_the_text_of_an_exception_stays_inside(error: Exception):
    assert "secret" not in describe_problem(error).model_dump_json()


def test_a_problem_carries_the_request_id():
    token = REQUEST_ID.set("request-1")
    assert describe_problem(NotFound("gone")).request_id == "request-1"
    REQUEST_ID.reset(token)


def test_invalid_input_of_a_verb_names_its_field():
    problem = describe_problem(InvalidInput("no NUL", "content"))
    assert (problem.field, problem.detail) == ("content", "no NUL")
    assert [fault.field for fault in problem.errors or []] == ["content"]


def test_invalid_input_without_a_field_has_no_errors():
    assert "errors" not in describe_problem(InvalidInput("no")).model_dump()


def test_refused_fields_are_all_named_and_the_first_leads():
    refused = refuse_fields(
        [
            {"type": "missing", "loc": ("body", "content"), "msg": "Field required"},
            {"type": "less_than_equal", "loc": ("query", "limit"), "msg": "too much"},
        ]
    )
    problem = describe_problem(refused)
    assert problem.detail == "content: Field required"
    assert [(fault.field, fault.code) for fault in problem.errors or []] == [
        ("content", "missing"),
        ("limit", "too_large"),
    ]


def test_a_fault_that_no_code_names_is_invalid():
    [fault] = refuse_fields([{"type": "novel", "loc": ("a", 3), "msg": "m"}]).faults
    assert (fault.field, fault.code) == ("a.3", "invalid")


def test_a_fault_of_the_whole_body_is_the_bodys():
    [fault] = refuse_fields([{"type": "no_change", "loc": (), "msg": "m"}]).faults
    assert fault.field == "body"


def test_refusals_cross_processes():
    refused = FieldsRefused([FieldFault(field="a", code="missing", message="m")])
    again = pickle.loads(pickle.dumps(refused))
    assert (again.faults, again.message) == (refused.faults, refused.message)


def test_readiness_crosses_processes():
    assert pickle.loads(pickle.dumps(NotReady({"a": "b"}))).checks == {"a": "b"}


def test_unavailable_says_when_to_come_back():
    assert answer_error(Overloaded("x", 7)).headers["retry-after"] == "7"


def test_not_ready_names_what_is_not():
    assert describe_problem(NotReady({"database": "ok"})).checks == {"database": "ok"}


def test_a_problem_says_what_it_is():
    response = answer_error(NotFound("x"))
    assert response.headers["content-type"] == "application/problem+json"
