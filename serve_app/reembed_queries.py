"""The questions of a file, with the scopes in which `fleetmem reembed --queries` asks them."""

from pathlib import Path
from typing import TYPE_CHECKING

from serve_app.core.errors import ConfigurationError
from serve_app.core.memory import Scope
from serve_app.evaluation.corpora import read_lines
from serve_app.operations.compare_models import Sample

if TYPE_CHECKING:
    from serve_app.storage.connection import Pool

NEEDED = ("question", "agent_id", "user_id")
DEFAULT_TENANT = "default"


async def read_samples(path: Path, pool: "Pool") -> list[Sample]:
    """One sample a line: question, agent_id, user_id, and the tenant's name if it is another.

    Raises ConfigurationError with the line, and TenantNotFound.
    """
    from serve_app.storage.keys import PostgresKeys

    numbers: dict[str, int] = {}
    samples: list[Sample] = []
    for line, row in read_lines(path):
        if missing := [name for name in NEEDED if not isinstance(row.get(name), str)]:
            raise ConfigurationError(f"{path}, line {line}: {missing[0]} must be a text")
        tenant = str(row.get("tenant", DEFAULT_TENANT))
        if tenant not in numbers:
            numbers[tenant] = (await PostgresKeys(pool).find_tenant(tenant)).tenant_id
        scope = Scope(numbers[tenant], row["agent_id"], row["user_id"])
        samples.append(Sample(row["question"], scope))
    return samples
