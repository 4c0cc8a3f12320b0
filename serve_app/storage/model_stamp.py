"""Which models made the stored vectors: the active one, and while a model is changed another."""

from typing import NamedTuple

from serve_app.core.errors import ConfigurationError, ModelMismatch
from serve_app.storage.connection import Connection

PLACES = ("public", "second_set")
"""The schemas that hold a set of vectors each."""

HAS_VECTORS = {
    "public": "select exists (select from public.memory_vectors)",
    "second_set": "select exists (select from second_set.memory_vectors)",
}

MOST_DIMENSIONS = 1200
"""What fits, with the rest of its row, an entry of the index that small scopes are ranked from."""

MODEL_LOCK = 7_301_771_903
"""Held by whoever changes the stamp, and shared by those who write contents; as in migrations."""


class Stamp(NamedTuple):
    """The active model, the schema of its vectors, and the other model if there are two."""

    name: str
    dimension: int
    place: str = PLACES[0]
    other: str | None = None
    other_dimension: int | None = None

    @property
    def other_place(self) -> str:
        """The schema of the other model's vectors, or of none."""
        return PLACES[1 - PLACES.index(self.place)]

    @property
    def names(self) -> tuple[str, ...]:
        """The models that vectors are stored of, the active one first."""
        return (self.name,) if self.other is None else (self.name, self.other)


async def read_stamp(connection: Connection) -> Stamp | None:
    """The stamp; None where none was made yet."""
    row = await connection.fetchrow(
        "select name, dimension, place, other, other_dimension from embedding_model"
    )
    return None if row is None else Stamp(*row)


async def adopt_model(connection: Connection, name: str, dimension: int) -> None:
    """Stamp a database without vectors; raise ModelMismatch for one of another model."""
    async with connection.transaction():
        await connection.execute("lock table embedding_model in share row exclusive mode")
        stamp = await read_stamp(connection)
        if stamp is not None and ((name, dimension) == stamp[:2] or (name, dimension) == stamp[3:]):
            return
        place = PLACES[0] if stamp is None else stamp.place
        has_vectors = await connection.fetchval(HAS_VECTORS[place])
        if has_vectors or (stamp is not None and stamp.other is not None):
            raise _mismatch(stamp, name, dimension)
        await shape_place(connection, place, dimension)
        await connection.execute(
            "insert into embedding_model (name, dimension) values ($1, $2) "
            "on conflict (only_row) do update set name = $1, dimension = $2",
            name,
            dimension,
        )


async def require_model(connection: Connection, name: str) -> None:
    """Raise ModelMismatch unless the database holds vectors of this model, active or not."""
    stamp = await read_stamp(connection)
    if stamp is None or name not in stamp.names:
        stored = "no model yet" if stamp is None else " and ".join(stamp.names)
        raise ModelMismatch(
            f"the database is stamped for {stored}, and this replica runs {name};"
            " run `fleetmem migrate`, set FLEETMEM_EMBEDDING_MODEL to the stored one, or change "
            f"the stored vectors with `fleetmem reembed --to {name}`"
        )


async def shape_place(connection: Connection, place: str, dimension: int) -> None:
    """Make the empty table of a place take vectors of this dimension."""
    if dimension > MOST_DIMENSIONS:
        raise ConfigurationError(
            f"vectors of {dimension} dimensions cannot be stored; at most {MOST_DIMENSIONS}"
        )
    table = f"{place}.memory_vectors"
    await connection.execute(f"alter table {table} alter embedding type halfvec({int(dimension)})")
    # A new type brings its own storage; no vector is to be moved out of line.
    await connection.execute(f"alter table {table} alter embedding set storage plain")


async def list_places(connection: Connection) -> tuple[str, ...]:
    """Where there are vectors, the active model's first."""
    stamp = await read_stamp(connection)
    if stamp is None:
        return PLACES[:1]
    return (stamp.place,) if stamp.other is None else (stamp.place, stamp.other_place)


async def enter_place(connection: Connection, place: str) -> None:
    """Let `memory_vectors` and `ann_index` be those of a place, for the rest of the session."""
    await connection.execute(
        "select set_config('search_path', $1, false)",
        "public" if place == PLACES[0] else f"{place}, public",
    )


def _mismatch(stamp: Stamp | None, name: str, dimension: int) -> ModelMismatch:
    stored = "unknown" if stamp is None else f"{stamp.name} ({stamp.dimension} dimensions)"
    return ModelMismatch(
        f"the stored vectors were made by {stored}, not by {name} ({dimension} dimensions), and "
        "cannot be compared with its own; set FLEETMEM_EMBEDDING_MODEL to the stored one, change "
        f"them with `fleetmem reembed --to {name}`, or start with another database"
    )
