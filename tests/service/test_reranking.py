"""A cross-encoder on the Embedding deployment, through the door of a whole service."""

import httpx

from tests.service.running import RunningService

WHOSE = {"agent_id": "reranked", "user_id": "u"}


def contents(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hit["content"] for hit in answer.json()["results"]]


def test_a_search_is_reranked_where_it_asks_for_it(service: RunningService) -> None:
    with service.client() as client:
        for content in ("The parcel came on Monday.", "Rain is expected.", "Tea is hot."):
            client.post("/v1/memories", json=WHOSE | {"content": content}).raise_for_status()
        # By recency alone, the first one that was stored is the last.
        body = WHOSE | {"query": "monday parcel", "alpha": 0.0, "top_k": 1}
        assert contents(client.post("/v1/memories/search", json=body)) == ["Tea is hot."]
        answer = client.post("/v1/memories/search", json=body | {"rerank": True})
        assert contents(answer) == ["The parcel came on Monday."]
        assert answer.json()["reranked"] is True
        assert answer.json()["results"][0]["rerank_score"] == 2.0
