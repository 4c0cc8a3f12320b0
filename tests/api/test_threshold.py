import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api import threshold
from serve_app.api.admission import Admission
from serve_app.api.answer_headers import AnswerHeaders
from serve_app.api.request_ids import TOLD_BY_SERVE, RequestIds
from serve_app.api.threshold import DOORKEEPER, NOT_BY_SERVE, Threshold, stand_before_serve
from serve_app.asgi import create_asgi_app
from serve_app.metering import PrometheusMeter
from serve_app.settings import Settings
from tests.fakes.world import World

Headers = list[tuple[bytes, bytes]]


async def cross(headers: Headers) -> Headers:
    """What is left of the headers behind the threshold."""

    async def arrive(scope, receive, send) -> None:
        left.extend(scope["headers"])

    left: Headers = []
    await Threshold(arrive)({"type": "http", "path": "/livez", "headers": headers}, None, None)
    assert left.pop() == NOT_BY_SERVE
    return left


@pytest.mark.parametrize(
    "name",
    [
        b"x-request-timeout-seconds",
        b"x-request-disconnect-disabled",
        b"x-session-id",
        b"x_session_id",
        b"serve_multiplexed_model_id",
        b"serve-multiplexed-model-id",
    ],
)
async def test_what_serve_obeys_stays_outside(name: bytes):
    assert await cross([(b"host", b"h"), (name, b"1"), (b"x", b"\xff")]) == [
        (b"host", b"h"),
        (b"x", b"\xff"),
    ]


@pytest.mark.parametrize(
    ("given", "kept"), [(b"a-1", True), (b"\xff", False), (b"a b", False), (b"", False)]
)
async def test_only_a_sane_request_id_comes_in(given: bytes, kept: bool):
    assert ((b"x-request-id", given) in await cross([(b"x-request-id", given)])) is kept


async def test_the_id_that_serve_tells_is_not_told_twice():
    async def answer(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message) -> None:
        names.extend(name for name, _ in message["headers"])

    names: list[bytes] = []
    app = Threshold(RequestIds(answer, AnswerHeaders()))
    await app({"type": "http", "path": "/livez", "headers": []}, None, send)
    assert b"x-request-id" not in names
    assert b"x-content-type-options" in names


def test_serve_is_given_it():
    assert [middleware.cls for middleware in stand_before_serve()] == [Threshold]


async def answer_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Where admissions lead that are only asked whom they refuse."""


ROOMY, FULL = (Admission(answer_nothing, limit, 0.9, PrometheusMeter()) for limit in (1, 0))


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The paths that came to Serve, and to the application that stands beside it."""
    monkeypatch.setattr(threshold, "DOORKEEPER", threshold.Doorkeeper())
    return {"serve": [], "application": []}


def note(paths: list[str]) -> ASGIApp:
    async def arrive(scope, receive, send) -> None:
        assert (TOLD_BY_SERVE in scope) is (NOT_BY_SERVE in scope["headers"])
        paths.append(scope["path"])

    return arrive


async def cross_all(reached: dict[str, list[str]], *paths: str) -> None:
    for path in paths:
        scope = {"type": "http", "path": path, "headers": []}
        await Threshold(note(reached["serve"]))(scope, None, None)


async def test_without_an_application_everything_is_for_serve(reached: dict[str, list[str]]):
    await cross_all(reached, "/v1/memories", "/livez")
    assert reached == {"serve": ["/v1/memories", "/livez"], "application": []}


async def test_the_busiest_paths_do_not_pass_serve(reached: dict[str, list[str]]):
    threshold.DOORKEEPER.stand(note(reached["application"]), ["/v1/memories"], ROOMY)
    await cross_all(reached, "/v1/memories", "/v1/memories/", "/livez")
    assert reached == {"serve": ["/v1/memories/", "/livez"], "application": ["/v1/memories"]}


async def test_who_is_one_too_many_does_not_pass_serve(reached: dict[str, list[str]]):
    threshold.DOORKEEPER.stand(note(reached["application"]), [], FULL)
    await cross_all(reached, "/v1", "/livez")
    assert reached == {"serve": ["/livez"], "application": ["/v1"]}


async def test_a_full_house_still_answers_those_who_ask_how_it_is(reached: dict[str, list[str]]):
    threshold.DOORKEEPER.stand(note(reached["application"]), [], FULL)
    await cross_all(reached, "/-/healthz", "/-/routes", "/readyz")
    assert reached == {"serve": ["/-/healthz", "/-/routes", "/readyz"], "application": []}


async def test_what_is_no_request_is_for_serve(reached: dict[str, list[str]]):
    async def start(scope, receive, send) -> None:
        reached["serve"].append(scope["type"])

    threshold.DOORKEEPER.stand(note(reached["application"]), [], FULL)
    await Threshold(start)({"type": "lifespan"}, None, None)
    assert reached == {"serve": ["lifespan"], "application": []}


def test_the_application_says_what_does_not_pass_serve(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Admission, "is_refused", lambda self, scope: scope["path"] == "/full")
    app = create_asgi_app(world.service, Settings(), PrometheusMeter(), world.meter)
    through = {
        path: DOORKEEPER.find_app({"type": "http", "path": path})
        for path in ("/v1/memories", "/v1/memories/search", "/full", "/livez", "/v1/memories/count")
    }
    assert [path for path, found in through.items() if found is app] == [
        "/v1/memories",
        "/v1/memories/search",
        "/full",
    ]
    assert set(through.values()) == {app, None}


async def test_it_tells_how_many_are_inside(monkeypatch: pytest.MonkeyPatch):
    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(doorkeeper.inside)

    seen: list[int] = []
    doorkeeper = threshold.Doorkeeper()
    assert doorkeeper.inside == 0
    admission = Admission(look, 8, 0.9, PrometheusMeter())
    doorkeeper.stand(admission, ["/v1"], admission)
    monkeypatch.setattr(threshold, "DOORKEEPER", doorkeeper)
    await Threshold(look)({"type": "http", "path": "/v1", "headers": []}, None, None)
    assert (seen, doorkeeper.inside) == ([1], 0)
