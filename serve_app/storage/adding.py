"""Storing memories: each as it is, or only where no active memory of its scope says the same."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from uuid import UUID

from serve_app.core.errors import Conflict, FleetmemError
from serve_app.core.memory import EmbeddedMemory, Memory
from serve_app.core.text import content_hash
from serve_app.storage.connection import Connection
from serve_app.storage.queries import query
from serve_app.storage.rows import memory_columns, to_memory, to_memory_of, vector_columns

Key = tuple[int, UUID]

Outcomes = list[Memory | FleetmemError]
Insert = Callable[[Connection, Sequence[EmbeddedMemory], Sequence[int]], Awaitable[Outcomes]]


async def insert_memories(
    connection: Connection, memories: Sequence[EmbeddedMemory], scope_ids: Sequence[int]
) -> Outcomes:
    """Store all, of one model, in one statement; raises REFUSED when Postgres refuses a row."""
    columns = [*memory_columns(memories, scope_ids), *vector_columns(memories)]
    rows = await connection.fetch(query("add_memories"), *columns, memories[0].model)
    added = {(row["tenant_id"], row["id"]) for row in rows}
    # Of an id that is given twice, the first is stored.
    outcomes = {key: m for m, key in _keyed(reversed(memories)) if key in added}
    there = [m for m, key in _keyed(memories) if key not in added]
    outcomes |= await _stored(connection, there)
    gone = Conflict("the id belonged to a memory that was just deleted")
    return [outcomes.get(key, gone) for _, key in _keyed(memories)]


async def insert_unless_there(
    connection: Connection,
    memories: Sequence[EmbeddedMemory],
    scope_ids: Sequence[int],
    insert: Insert,
) -> Outcomes:
    """Those that ask for it become the memory that says the same; `insert` stores the others.

    Of two in the list the first is stored. Within a transaction, which holds the others' back.
    """
    twins = await _find_twins(connection, memories, scope_ids)
    firsts: dict[tuple[int, str, str], int] = {}
    stands_for: list[int] = []
    for place, (embedded, scope_id) in enumerate(zip(memories, scope_ids, strict=True)):
        memory = embedded.memory
        first = firsts.setdefault((scope_id, memory.kind.value, memory.content), place)
        stands_for.append(first if embedded.dedupe else place)
    new = [place for place, other in enumerate(stands_for) if place == other and place not in twins]
    stored = (
        await insert(connection, [memories[n] for n in new], [scope_ids[n] for n in new])
        if new
        else []
    )
    told = twins | dict(zip(new, stored, strict=True))
    return [told.get(place) or told[first] for place, first in enumerate(stands_for)]


async def _find_twins(
    connection: Connection, memories: Sequence[EmbeddedMemory], scope_ids: Sequence[int]
) -> dict[int, Memory | FleetmemError]:
    """By place, what is stored already of those that ask."""
    by_tenant: dict[int, list[int]] = {}
    for place, embedded in enumerate(memories):
        if embedded.dedupe:
            by_tenant.setdefault(embedded.memory.scope.tenant_id, []).append(place)
    found: dict[int, Memory | FleetmemError] = {}
    # In one order for all, as within each tenant.
    for tenant_id, places in sorted(by_tenant.items()):
        asking = [memories[place].memory for place in places]
        rows = await connection.fetch(
            query("find_twins"),
            tenant_id,
            memories[0].model,
            [scope_ids[place] for place in places],
            [memory.kind.value for memory in asking],
            [content_hash(memory.content) for memory in asking],
            [memory.content for memory in asking],
        )
        for number, *columns in rows:
            found[places[number]] = to_memory_of(columns, asking[number].scope)
    return found


def _keyed(memories: Iterable[EmbeddedMemory]) -> Iterator[tuple[Memory, Key]]:
    """Each memory with its primary key: ids are unique within a tenant."""
    for embedded in memories:
        yield embedded.memory, (embedded.memory.scope.tenant_id, embedded.memory.id)


async def _stored(connection: Connection, memories: Sequence[Memory]) -> dict[Key, Memory]:
    """What the database holds under ids that were there before, each in its own tenant."""
    found: dict[Key, Memory] = {}
    for tenant_id in {memory.scope.tenant_id for memory in memories}:
        ids = [memory.id for memory in memories if memory.scope.tenant_id == tenant_id]
        for row in await connection.fetch(query("get_memories"), tenant_id, ids):
            memory = to_memory(row)
            found[tenant_id, memory.id] = memory
    return found
