"""Every error a user of fleetmem can meet.

FleetmemError
├── InvalidInput            the request is wrong; nothing changed
├── Unauthenticated         no valid key came with the request
├── Forbidden               the key is valid, and not for this
│   └── TenantSuspended
├── QuotaExceeded           the tenant may not keep more
├── NotFound                no such memory for this caller
├── KeyNotFound             no such key in the caller's tenant
├── TenantNotFound          no tenant of this name
├── Conflict                the memory changed under the caller
├── PreconditionFailed      it is not in the version that the caller named
├── AnswerForgotten         what the key's request wrote is gone
├── KeyReused               the idempotency key belongs to another request
├── RateLimited             too many calls in too short a time
│   └── TooManyFailedKeys   or requests without a valid key, from one address
├── NameTaken               there is a key or a tenant like that already
├── Unavailable             try again after `retry_after` seconds
│   ├── DatabaseUnavailable
│   ├── EmbeddingUnavailable
│   ├── ModelChanged
│   ├── Overloaded
│   ├── StillRunning
│   └── DeadlineExceeded
└── ConfigurationError      the service must not start like this
    ├── DatabaseTooOld
    ├── ModelMismatch
    ├── ModelUnavailable
    ├── DataDirectoryInUse
    ├── NoKeys
    └── PortTaken

They cross process boundaries by pickle: positional arguments only, plain attributes.
"""


class FleetmemError(Exception):
    """Root of the tree; `code` is stable and never renamed."""

    code = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(FleetmemError):
    """A value that the caller sent is refused; `field` is its JSON path."""

    code = "invalid_input"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.args = (message, field)
        self.field = field


class Unauthenticated(FleetmemError):
    """No key, or none that is valid: missing, malformed, unknown, wrong, expired, revoked."""

    code = "unauthenticated"


class Forbidden(FleetmemError):
    """The caller's key lacks a scope; the message names it."""

    code = "missing_scope"


class TenantSuspended(Forbidden):
    """The key is valid, and its tenant is suspended."""

    code = "tenant_suspended"


class NotFound(FleetmemError):
    """The memory does not exist, or not for this caller: the two read alike."""

    code = "memory_not_found"


class KeyNotFound(FleetmemError):
    """The key does not exist, or not in the caller's tenant: the two read alike."""

    code = "key_not_found"


class TenantNotFound(FleetmemError):
    """No tenant has this name."""

    code = "tenant_not_found"


class NameTaken(FleetmemError):
    """A tenant of this name, or a key of this id, exists already."""

    code = "name_taken"


class Conflict(FleetmemError):
    """The memory was changed by somebody else while this call ran."""

    code = "conflict"


class QuotaExceeded(FleetmemError):
    """The tenant's quota of memories or bytes is used up; nothing was stored."""

    code = "quota_exceeded"


class AnswerForgotten(FleetmemError):
    """What was written under an idempotency key has been forgotten, and its answer with it."""

    code = "answer_forgotten"


class KeyReused(FleetmemError):
    """An idempotency key came with another method, path or body than before."""

    code = "idempotency_key_reused"


class RateLimited(FleetmemError):
    """A limit on calls is used up; `retry_after` is in seconds. Nothing was counted or done."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.args = (message, retry_after)
        self.retry_after = retry_after


class PreconditionFailed(FleetmemError):
    """The memory is not in any of the versions that the caller would change."""

    code = "precondition_failed"


class TooManyFailedKeys(RateLimited):
    """Too many requests from one address had no valid key."""

    code = "too_many_failed_keys"


class Unavailable(FleetmemError):
    """A dependency cannot answer now; `retry_after` is in seconds."""

    code = "unavailable"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.args = (message, retry_after)
        self.retry_after = retry_after


class DatabaseUnavailable(Unavailable):
    """Postgres refused, timed out or is restarting."""

    code = "database_unavailable"


class EmbeddingUnavailable(Unavailable):
    """No vector could be made; none is made up."""

    code = "embedding_unavailable"


class ModelChanged(Unavailable):
    """The vector is of a model that is no longer, or not yet, the active one; make it anew."""

    code = "model_changed"


class Overloaded(Unavailable):
    """A bounded queue is full."""

    code = "overloaded"


class StillRunning(Unavailable):
    """The request under this idempotency key has not come to its end."""

    code = "idempotency_key_in_use"


class DeadlineExceeded(Unavailable):
    """The answer did not come within the request's time."""

    code = "deadline_exceeded"


class ConfigurationError(FleetmemError):
    """The service refuses to start; the message says what to do next."""

    code = "configuration_error"


class DatabaseTooOld(ConfigurationError):
    """Postgres, pgvector or the schema is older than this version needs."""

    code = "database_too_old"


class ModelMismatch(ConfigurationError):
    """The stored vectors were made by another model or in another dimension."""

    code = "model_mismatch"


class ModelUnavailable(ConfigurationError):
    """A model's files are missing, or their sha256 is wrong."""

    code = "model_unavailable"


class DataDirectoryInUse(ConfigurationError):
    """Another fleetmem owns the data directory."""

    code = "data_directory_in_use"


class NoKeys(ConfigurationError):
    """No key was ever made, and nobody said that the service may be open."""

    code = "no_keys"


class PortTaken(ConfigurationError):
    """Another process listens on the wanted port."""

    code = "port_taken"
