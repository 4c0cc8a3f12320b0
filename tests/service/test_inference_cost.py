"""What a question costs, told by the service's own metrics."""

import asyncio

import httpx

from tests.service.running import RunningService, wait_until
from tests.service.test_metrics import Samples, read, read_settled, value

CALLERS = 100
SENT, LOOKED_UP = "coalesced_batch_size_count", "embedding_cache_total"


async def ask_together(service: RunningService, query: str, callers: int) -> None:
    limits = httpx.Limits(max_connections=callers)
    async with httpx.AsyncClient(base_url=service.url, timeout=30, limits=limits) as client:
        body = {"agent_id": "cost", "user_id": "u", "query": query}
        calls = (client.post("/v1/memories/search", json=body) for _ in range(callers))
        answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {200}


def costs(samples: Samples) -> dict[str, float]:
    outcomes = ("miss", "joined", "hit")
    asked = {outcome: value(samples, LOOKED_UP, outcome=outcome) for outcome in outcomes}
    return asked | {"sent": value(samples, SENT, call="embed_query")}


def spend(service: RunningService, query: str, callers: int) -> dict[str, float]:
    """What so many concurrent callers of one question add; `sent` are calls of the embedder."""
    before = costs(read_settled(service))

    def grown() -> dict[str, float]:
        return {name: now - before[name] for name, now in costs(read(service)).items()}

    def all_are_counted() -> bool:
        now = grown()
        return now["miss"] + now["joined"] + now["hit"] == callers and now["sent"] >= now["miss"]

    asyncio.run(ask_together(service, query, callers))
    wait_until(all_are_counted, 20)
    return grown()


def test_a_hundred_at_once_cost_one_inference_and_a_repeated_question_none(
    service: RunningService,
) -> None:
    first = spend(service, "Which question do a hundred agents ask at once?", CALLERS)
    assert (first["miss"], first["sent"]) == (1, 1)
    assert first["joined"] + first["hit"] == CALLERS - 1
    again = spend(service, "Which question do a hundred agents ask at once?", 1)
    assert again == {"miss": 0, "joined": 0, "hit": 1, "sent": 0}
