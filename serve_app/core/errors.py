"""Every error a user of fleetmem can meet.

FleetmemError
├── InvalidInput            the request is wrong; nothing changed
├── Unauthenticated         no valid key came with the request
├── Forbidden               the key is valid, and not for this
├── NotFound                no such memory for this caller
├── Conflict                the memory changed under the caller
├── RateLimited             too many calls in too short a time
├── PreconditionFailed      it is not in the version that the caller named
├── Unavailable             try again after `retry_after` seconds
│   ├── DatabaseUnavailable
│   ├── EmbeddingUnavailable
│   ├── Overloaded
│   └── DeadlineExceeded
└── ConfigurationError      the service must not start like this
    ├── DatabaseTooOld
    ├── ModelMismatch
    ├── ModelUnavailable
    ├── DataDirectoryInUse
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


class NotFound(FleetmemError):
    """The memory does not exist, or not for this caller: the two read alike."""

    code = "memory_not_found"


class Conflict(FleetmemError):
    """The memory was changed by somebody else while this call ran."""

    code = "conflict"


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


class Overloaded(Unavailable):
    """A bounded queue is full."""

    code = "overloaded"


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


class PortTaken(ConfigurationError):
    """Another process listens on the wanted port."""

    code = "port_taken"
