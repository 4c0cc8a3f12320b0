"""Who calls."""

from dataclasses import dataclass

DEFAULT_TENANT_ID = 1


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller; the tenant comes from the credential and from nowhere else."""

    tenant_id: int = DEFAULT_TENANT_ID
