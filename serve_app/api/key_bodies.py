"""What is asked and answered about keys and tenants."""

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from serve_app.api.fields import Moment, Text
from serve_app.core.keys import LONGEST_LABEL, TENANT_NAME, ApiKey, IssuedKey, KeyDraft, Tenant
from serve_app.core.principal import Principal

LONGEST_GRACE = 30 * 86_400

ScopeName = Literal[
    "memory:read", "memory:write", "memory:erase", "audit:read", "tenant:admin", "operator"
]
Label = Annotated[Text, Field(max_length=LONGEST_LABEL)]
TenantName = Annotated[str, Field(strict=True, pattern=f"^{TENANT_NAME.pattern}$")]


class KeyCreate(BaseModel):
    """A key to make in the caller's tenant, with scopes that the caller has."""

    model_config = ConfigDict(extra="forbid")

    scopes: list[ScopeName] = Field(min_length=1, max_length=6)
    label: Label = Field("", description="for people; in a list of keys")
    expires_at: Moment | SkipJsonSchema[None] = Field(None, description="never, if not given")
    kind: Literal["live", "test"] = Field("live", description="written into the key; no more")

    def to_draft(self, principal: Principal) -> KeyDraft:
        """The draft in the words of the core."""
        return KeyDraft(
            tenant_id=principal.tenant_id,
            scopes=frozenset(self.scopes),
            label=self.label,
            expires_at=self.expires_at,
            live=self.kind == "live",
        )


class KeyRotate(BaseModel):
    """How long the old key lives on."""

    model_config = ConfigDict(extra="forbid")

    grace_seconds: Annotated[int, Field(strict=True)] = Field(3600, ge=0, le=LONGEST_GRACE)

    @property
    def grace(self) -> timedelta:
        """The time for which both keys are valid."""
        return timedelta(seconds=self.grace_seconds)


class KeyResponse(BaseModel):
    """A key without its secret. `last_used_at` may be a minute late."""

    key_id: str
    label: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """What may be told of `key`."""
        return cls(
            key_id=key.key_id,
            label=key.label,
            scopes=sorted(key.scopes),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )


class IssuedKeyResponse(KeyResponse):
    """A new key; `key` is told this once and kept by nobody."""

    key: str

    @classmethod
    def issued(cls, issued: IssuedKey) -> Self:
        """The key with its text."""
        return cls(**dict(KeyResponse.of(issued.key)), key=issued.text)


class KeysResponse(BaseModel):
    """All keys of a tenant, oldest first."""

    keys: list[KeyResponse]


class TenantCreate(BaseModel):
    """A tenant to make."""

    model_config = ConfigDict(extra="forbid")

    name: TenantName = Field(
        description="1 to 63 lower-case letters, digits and inner hyphens", max_length=63
    )


class TenantChange(BaseModel):
    """Whether the tenant's keys are let in."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["active", "suspended"]


class TenantResponse(BaseModel):
    """A tenant."""

    name: str
    status: Literal["active", "suspended"]
    created_at: datetime

    @classmethod
    def of(cls, tenant: Tenant) -> Self:
        """The tenant in the words of the door."""
        status = "suspended" if tenant.suspended else "active"
        return cls(name=tenant.name, status=status, created_at=tenant.created_at)


class CreatedTenantResponse(TenantResponse):
    """A new tenant, and the first key of its admin, told this once."""

    admin_key: IssuedKeyResponse

    @classmethod
    def created(cls, tenant: Tenant, issued: IssuedKey) -> Self:
        """The tenant with its key."""
        key = IssuedKeyResponse.issued(issued)
        return cls(**dict(TenantResponse.of(tenant)), admin_key=key)


class TenantsResponse(BaseModel):
    """All tenants, oldest first."""

    tenants: list[TenantResponse]
