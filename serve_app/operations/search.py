"""Search: embed the question, fetch candidates, rank them."""

from serve_app.core.ranking import Hit, rank
from serve_app.core.search import SearchQuery, VectorSearch
from serve_app.core.text import require_storable
from serve_app.operations.ports import Ports


async def search(ports: Ports, query: SearchQuery) -> list[Hit]:
    """The true top_k of the scope under the query's policy, best first."""
    require_storable(query.text, "query")
    require_storable(query.scope.agent_id, "agent_id")
    require_storable(query.scope.user_id, "user_id")
    vector = await ports.embedder.embed_query(query.text, query.scope.tenant_id)
    now = query.as_of or ports.clock()
    candidates = await ports.memories.search(
        VectorSearch(query.scope, vector, query.top_k, query.policy, now, query.kind)
    )
    ports.meter.count("memory_operations", operation="search")
    return rank(candidates, now, query.policy, query.top_k)
