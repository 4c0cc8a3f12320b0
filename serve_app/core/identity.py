"""Ids: those that sort by time (RFC 9562, UUID version 7), and any from its number."""

from datetime import datetime
from uuid import UUID, SafeUUID


def uuid7(now: datetime, entropy: bytes) -> UUID:
    """A UUID of `now` in milliseconds and 10 bytes of `entropy`.

    Raises ValueError when `entropy` is shorter than 10 bytes.
    """
    if len(entropy) < 10:
        raise ValueError("uuid7 needs 10 bytes of entropy")
    milliseconds = int(now.timestamp() * 1000)
    random = int.from_bytes(entropy[:10])
    value = (milliseconds & ((1 << 48) - 1)) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return UUID(int=value)


def make_uuid(value: int) -> UUID:
    """The UUID of a number that is known to be one, in [0, 2 ** 128)."""
    plain = _make_object(UUID)
    # UUID's own constructor checks six ways to be called, and costs eight times as much.
    _set_int(plain, value)
    _set_safety(plain, _UNKNOWN)
    return plain


_make_object = object.__new__
_UNKNOWN = SafeUUID.unknown
_set_int = vars(UUID)["int"].__set__
_set_safety = vars(UUID)["is_safe"].__set__
