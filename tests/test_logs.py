import json
import logging
from datetime import datetime, timedelta

import pytest

from serve_app.core.errors import DatabaseUnavailable
from serve_app.logs import (
    ACCESS_LOGGER,
    REQUEST_ID,
    JsonFormatter,
    describe_exception,
    write_json_logs,
)


def written(record: logging.LogRecord) -> dict[str, object]:
    line = JsonFormatter().format(record)
    assert "\n" not in line
    return json.loads(line)


def record(message: str = "answered", **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "fleetmem", "levelname": "INFO", "msg": message})
    made.__dict__.update(extra)
    return made


def chained() -> BaseException:
    """Our error, caused by a driver's that quotes a row."""
    row = "green tea"
    try:
        try:
            raise KeyError(row)
        except KeyError as cause:
            raise DatabaseUnavailable("the database is away") from cause
    except DatabaseUnavailable as error:
        return error


def test_a_line_has_time_level_logger_and_message():
    line = written(record())
    assert list(line) == ["time", "level", "logger", "message"]
    assert datetime.fromisoformat(str(line["time"])).utcoffset() == timedelta(0)


def test_a_line_break_in_a_message_makes_no_second_line():
    assert written(record("a\nb"))["message"] == "a\nb"


def test_the_fields_of_access_are_written_and_no_others():
    line = written(record(method="GET", route="/", status=200, duration_ms=1.5, content="tea"))
    assert list(line)[4:] == ["method", "route", "status", "duration_ms"]


def test_a_line_carries_the_request_id():
    token = REQUEST_ID.set("request-1")
    assert written(record())["request_id"] == "request-1"
    REQUEST_ID.reset(token)
    assert "request_id" not in written(record())


def test_a_traceback_has_frames_and_types_but_no_foreign_text():
    error = chained()
    line = written(record(exc_info=(type(error), error, error.__traceback__)))
    told = str(line["traceback"])
    assert told.index("builtins.KeyError") < told.index("DatabaseUnavailable: the database is away")
    assert "in chained" in told
    assert "green tea" not in told.replace('row = "green tea"', "")


def test_an_exception_that_causes_itself_is_told_once():
    error = ValueError()
    error.__context__ = error
    assert describe_exception(error) == "builtins.ValueError"


def test_logging_twice_writes_once(capfd):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        write_json_logs("INFO", access=False)
        write_json_logs("INFO", access=False)
        logging.getLogger("fleetmem").info("once")
        assert len(root.handlers) == 1
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.getLogger(ACCESS_LOGGER).setLevel(logging.NOTSET)
    [line] = capfd.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "once"


@pytest.mark.parametrize("access", [True, False])
def test_only_failed_requests_are_written_unless_all_are_wanted(capfd, access: bool):
    root, logger = logging.getLogger(), logging.getLogger(ACCESS_LOGGER)
    handlers, level = root.handlers[:], root.level
    try:
        write_json_logs("INFO", access)
        logger.info("answered")
        logger.warning("failed")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logger.setLevel(logging.NOTSET)
    written = [json.loads(line)["message"] for line in capfd.readouterr().err.splitlines()]
    assert written == (["answered", "failed"] if access else ["failed"])
