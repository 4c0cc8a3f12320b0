"""What an answer tells of the limits that its call fell under.

`RateLimit` and `RateLimit-Policy` as draft-ietf-httpapi-ratelimit-headers-10 has them, and the
`X-RateLimit-*` names that older clients read: of the limit with the least left, and of the tenant.
"""

from collections.abc import Sequence
from math import ceil

from serve_app.api.answer_headers import RawHeaders
from serve_app.core.rate_limits import Standing


def write_standings(standings: Sequence[Standing], now: float) -> RawHeaders:
    """The headers; X-RateLimit-Reset is in seconds since the epoch, as `now` is."""
    if not standings:
        return ()
    policies = ", ".join(
        f'"{s.name}";q={s.limit.count};w={ceil(s.limit.seconds)}' for s in standings
    )
    stands = ", ".join(f'"{s.name}";r={s.remaining};t={s.reset_seconds}' for s in standings)
    tightest = min(standings, key=lambda s: s.remaining / s.limit.count)
    headers = (
        (b"ratelimit-policy", policies.encode()),
        (b"ratelimit", stands.encode()),
        *_write_old_names(b"x-ratelimit-", tightest, now),
    )
    if standings[0].name == "tenant":
        headers += _write_old_names(b"x-ratelimit-tenant-", standings[0], now)
    return headers


def _write_old_names(prefix: bytes, standing: Standing, now: float) -> RawHeaders:
    return (
        (prefix + b"limit", b"%d" % standing.limit.count),
        (prefix + b"remaining", b"%d" % standing.remaining),
        (prefix + b"reset", b"%d" % (now + standing.reset_seconds)),
    )
