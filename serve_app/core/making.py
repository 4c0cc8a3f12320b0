"""Frozen nouns in bulk: a search makes ten memories, and their constructor is most of its cost."""

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from typing import Any, TypeVar

Noun = TypeVar("Noun")


def maker_of(kind: type[Noun]) -> Callable[..., Noun]:
    """What makes a frozen dataclass with slots of all its fields, in order, in a fifth of the time.

    No default counts, and no `__post_init__` of `kind` runs.
    """

    # A frozen class sets each field by a call. Its twin sets them as any class does, and what it
    # made is then said to be of `kind`: both have the same slots.
    def freeze(made: Any) -> None:
        made.__class__ = kind

    frozen: Any = kind
    names: list[tuple[str, Any]] = [(field.name, Any) for field in fields(frozen)]
    return make_dataclass(
        f"Unfrozen{kind.__name__}",
        names,
        namespace={"__post_init__": freeze},
        eq=False,
        repr=False,
        slots=True,
    )
