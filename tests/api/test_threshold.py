import pytest

from serve_app.api.admission import Admission
from serve_app.api.answer_headers import AnswerHeaders
from serve_app.api.request_ids import RequestIds
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


async def test_who_is_one_too_many_does_not_reach_serve(world: World):
    async def reach(scope, receive, send) -> None:
        reached.append(scope["path"])

    async def send(message) -> None:
        sent.append(message)

    reached: list[str] = []
    sent: list[dict] = []
    full = Admission(reach, 0, 0.9, world.meter)
    try:
        DOORKEEPER.stand(full.is_refused, full)
        for path in ("/v1/memories", "/livez"):
            await Threshold(reach)({"type": "http", "path": path, "headers": []}, None, send)
    finally:
        DOORKEEPER.stand(lambda scope: False, reach)
    assert reached == ["/livez"]
    assert sent[0]["status"] == 503
    assert b"overloaded" in sent[1]["body"]


def test_the_application_tells_who_is_refused(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Admission, "is_refused", lambda self, scope: scope["path"] == "/v1")
    app = create_asgi_app(world.service, Settings(), PrometheusMeter(), world.meter)
    assert DOORKEEPER.find_refusal({"path": "/v1"}) is app
    assert DOORKEEPER.find_refusal({"path": "/livez"}) is None
