"""Keys: how one is written, made and judged. Pure: entropy and the time are arguments."""

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from serve_app.core.errors import InvalidInput, TenantSuspended, Unauthenticated
from serve_app.core.principal import SCOPES, Principal

ID_BYTES, SECRET_BYTES = 8, 32
KEY_BYTES = ID_BYTES + SECRET_BYTES
"""Random bytes of one key: 64 bits name it, 256 are its secret."""

FORM = re.compile(
    r"fm_(?:live|test)_([0-9a-f]{16})_[A-Za-z0-9_-]{43}"
    r"|mx_(?:live|test)_(k[A-Za-z0-9]{3,32})_[A-Za-z0-9_-]{32,128}"
)
"""Ours, and memnex's as imported; their ids begin with a `k`, which no id of ours does."""

LONGEST_LABEL = 128
TENANT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""What a host name's label may be (RFC 1123): nothing that could read like another name."""

NOBODYS_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whoever memories and keys belong to."""

    tenant_id: int
    name: str
    suspended: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class KeyDraft:
    """What a key is to be; `live` False writes `test` into it, for people and secret scanners."""

    tenant_id: int
    scopes: frozenset[str]
    label: str = ""
    expires_at: datetime | None = None
    live: bool = True

    def __post_init__(self) -> None:
        """Raises InvalidInput."""
        if not self.scopes:
            raise InvalidInput("a key needs at least one scope", "scopes")
        if unknown := self.scopes - SCOPES:
            raise InvalidInput(f"there is no scope {min(unknown)}", "scopes")
        # It is shown in terminals, which obey control characters.
        if len(self.label) > LONGEST_LABEL or not self.label.isprintable():
            raise InvalidInput(f"a label may have {LONGEST_LABEL} printable characters", "label")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What may be told of a key; its secret is nowhere."""

    key_id: str
    tenant_id: int
    label: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key and the one text that proves it; the text is told once and kept by nobody."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"IssuedKey({self.key!r}, text=<hidden>)"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What it takes to judge a key: who holds it, and the digest of its text."""

    principal: Principal
    digest: bytes
    expires_at: datetime | None = None
    revoked: bool = False
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class KeysFound:
    """One look at the stored keys: the records of those asked for, by key id.

    `epoch` grows whenever any key or tenant loses something; records of one epoch stay true while
    it lasts. `any_made` is whether any key was ever made.
    """

    epoch: int
    any_made: bool
    records: dict[str, KeyRecord]


def find_key_id(text: str) -> str | None:
    """The id within a key's text; None when it has no form of a key."""
    match = FORM.fullmatch(text)
    return (match[1] or match[2]) if match else None


def digest_key(text: str) -> bytes:
    """SHA-256 of the whole text, 32 bytes.

    A slow hash would defend guessable secrets; of 256 random bits nobody tries a noticeable part,
    and every request would pay for it.
    """
    return sha256(text.encode()).digest()


def make_key(draft: KeyDraft, now: datetime, entropy: bytes) -> IssuedKey:
    """A new key from KEY_BYTES of `entropy`; raises InvalidInput when it would be dead already."""
    if len(entropy) != KEY_BYTES:
        raise ValueError(f"a key needs {KEY_BYTES} bytes of entropy")
    key_id = entropy[:ID_BYTES].hex()
    secret = urlsafe_b64encode(entropy[ID_BYTES:]).rstrip(b"=").decode()
    text = f"fm_{'live' if draft.live else 'test'}_{key_id}_{secret}"
    return IssuedKey(_describe(draft, key_id, now), text)


def adopt_key(draft: KeyDraft, now: datetime, text: str) -> IssuedKey:
    """A key that exists already, ours or memnex's; raises InvalidInput without showing it."""
    key_id = find_key_id(text)
    if key_id is None:
        raise InvalidInput("this is neither a key fm_… nor mx_live_k…_… with a long secret", "key")
    return IssuedKey(_describe(draft, key_id, now), text)


def renew(old: ApiKey, now: datetime, entropy: bytes) -> IssuedKey:
    """A key like `old` with a new secret, and as long to live as `old` had from its start.

    Raises InvalidInput when `old` is dead: what was taken away is not given back this way.
    """
    if not old.is_valid(now):
        raise InvalidInput("a revoked or expired key cannot be rotated; create one", "key_id")
    draft = KeyDraft(old.tenant_id, old.scopes, old.label, _prolong(old, now))
    return make_key(draft, now, entropy)


def retire(old: ApiKey, now: datetime, grace: timedelta) -> ApiKey:
    """`old` with an end after `grace`, or its own if that comes first."""
    ends = now + grace
    return replace(old, expires_at=min(ends, old.expires_at) if old.expires_at else ends)


def admit(record: KeyRecord | None, text: str, now: datetime) -> Principal:
    """The caller whose key's text this is; takes as long for a key that nobody knows.

    Raises Unauthenticated, one and the same whatever is wrong, and TenantSuspended.
    """
    expected = NOBODYS_DIGEST if record is None else record.digest
    is_right = hmac.compare_digest(expected, digest_key(text))
    if record is None or not is_right or record.revoked:
        raise Unauthenticated("no valid key")
    if record.expires_at is not None and now >= record.expires_at:
        raise Unauthenticated("no valid key")
    if record.suspended:
        raise TenantSuspended("the tenant is suspended")
    return record.principal


def name_tenant(name: str) -> str:
    """The name, if it may be one; raises InvalidInput."""
    if TENANT_NAME.fullmatch(name) is None:
        raise InvalidInput(
            "a tenant's name has 1 to 63 lower-case letters, digits and inner hyphens", "name"
        )
    return name


def _prolong(old: ApiKey, now: datetime) -> datetime | None:
    """When a key that begins now ends; there is no time after the year 9999."""
    if old.expires_at is None:
        return None
    left = datetime.max.replace(tzinfo=now.tzinfo) - now
    return now + min(old.expires_at - old.created_at, left)


def _describe(draft: KeyDraft, key_id: str, now: datetime) -> ApiKey:
    if draft.expires_at is not None and draft.expires_at <= now:
        raise InvalidInput("a key must expire in the future", "expires_at")
    return ApiKey(
        key_id, draft.tenant_id, draft.label, draft.scopes, now, expires_at=draft.expires_at
    )
