import pytest

from serve_app.core.errors import Forbidden
from serve_app.core.principal import (
    DEFAULT_TENANT_ID,
    MEMORY_READ,
    MEMORY_SCOPES,
    MEMORY_WRITE,
    OPERATOR,
    SCOPES,
    TENANT_ADMIN,
    TENANT_SCOPES,
    Principal,
)


def test_without_a_credential_the_caller_is_of_the_default_tenant() -> None:
    assert Principal().tenant_id == DEFAULT_TENANT_ID == 1
    assert Principal(7).tenant_id == 7


def test_without_a_credential_nobody_administers() -> None:
    assert Principal().scopes == MEMORY_SCOPES
    assert {TENANT_ADMIN, OPERATOR} & MEMORY_SCOPES == set()
    assert MEMORY_SCOPES < TENANT_SCOPES < SCOPES


def test_a_missing_scope_is_named() -> None:
    reader = Principal(1, "id", frozenset({MEMORY_READ}))
    reader.require(MEMORY_READ)
    with pytest.raises(Forbidden, match=MEMORY_WRITE):
        reader.require(MEMORY_WRITE)
