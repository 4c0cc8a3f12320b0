"""The named statements of storage/sql: each file is one query, described by its first comment."""

from functools import cache
from pathlib import Path

DIRECTORY = Path(__file__).parent / "sql"


@cache
def query(name: str) -> str:
    """The text of sql/<name>.sql."""
    return (DIRECTORY / f"{name}.sql").read_text(encoding="utf-8")
