"""Logs: one JSON object a line, from a closed list of fields.

Never written: contents, queries, keys, DSNs. The message of an exception that is not ours may
quote any of them (a driver quotes the row), so of those only type and frames are written.
"""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType

from serve_app.core.errors import FleetmemError

REQUEST_ID: ContextVar[str | None] = ContextVar("fleetmem_request_id", default=None)
"""The id of the request that the running task serves."""

ACCESS_LOGGER = "fleetmem.access"

FIELDS = ("method", "route", "status", "duration_ms")
"""The only `extra` that is written."""


def current_request_id() -> str | None:
    """The id of the request being served; None outside any."""
    return REQUEST_ID.get()


class JsonFormatter(logging.Formatter):
    """Writes time, level, logger, message, request_id, FIELDS and a traceback without values."""

    def format(self, record: logging.LogRecord) -> str:
        """One line without a line break in it."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current_request_id():
            line["request_id"] = request_id
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            line["traceback"] = describe_exception(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def describe_exception(error: BaseException) -> str:
    """The frames and types of an exception and of its causes, the cause first."""
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        parts.append(_describe_one(link, link.__traceback__))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\n".join(reversed(parts))


def _describe_one(error: BaseException, trace: TracebackType | None) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    if isinstance(error, FleetmemError):
        name += f": {error.message}"
    return "".join(traceback.format_tb(trace)) + name


def write_json_logs(level: str, access: bool) -> None:
    """Send every logger of this process to standard error as JSON; calling twice is harmless.

    Without `access` only the requests that failed are written.
    """
    # Serve puts a stream in the place of sys.stderr that walks the stack at every line, and holds
    # a thousand lines back.
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger(ACCESS_LOGGER).setLevel(logging.NOTSET if access else logging.WARNING)
