"""`fleetmem tenant ranking` and `fleetmem tenant language`, on a real database."""

import asyncio

import pytest

from serve_app.core.errors import InvalidInput
from tests.storage.owner import ask, execute
from tests.test_key_commands import fleetmem, refuse


def test_what_is_named_is_set_and_the_rest_stays(fresh_dsn: str) -> None:
    ranking = ("tenant", "ranking", "default")
    assert fleetmem(fresh_dsn, *ranking).stdout == ""
    fleetmem(fresh_dsn, *ranking, "--profile", "hybrid")
    fleetmem(fresh_dsn, *ranking, "--agent", "a", "--profile", "blend", "--language", "german")
    told = fleetmem(fresh_dsn, *ranking, "--agent", "a", "--profile", "none").stdout
    assert told.splitlines() == [
        "all agents: profile hybrid, language none",
        "agent a: profile none, language german",
    ]
    told = fleetmem(fresh_dsn, *ranking, "--agent", "a", "--language", "none").stdout
    assert told.splitlines() == ["all agents: profile hybrid, language none"]


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--profile", "vector"), "conversation"), (("--language", "germn"), "german")],
)
def test_what_there_is_not_is_refused_with_what_there_is(
    fresh_dsn: str, words: tuple[str, ...], said: str
) -> None:
    error = refuse(fresh_dsn, "tenant", "ranking", "default", *words)
    assert isinstance(error, InvalidInput)
    assert said in error.message


def test_the_language_of_a_scope_is_changed(fresh_dsn: str) -> None:
    made = "insert into scopes (tenant_id, agent_id, user_id) values (1, 'a', 'u')"
    asyncio.run(execute(fresh_dsn, made))
    fleetmem(fresh_dsn, "tenant", "language", "default", "a", "u", "--to", "german")
    assert asyncio.run(ask(fresh_dsn, "select language from scopes")) == ["german"]
    for words in (("a", "nobody", "--to", "german"), ("a", "u", "--to", "germn")):
        error = refuse(fresh_dsn, "tenant", "language", "default", *words)
        assert isinstance(error, InvalidInput)
