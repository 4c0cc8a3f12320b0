from serve_app.core.principal import DEFAULT_TENANT_ID, Principal


def test_without_a_credential_the_caller_is_of_the_default_tenant() -> None:
    assert Principal().tenant_id == DEFAULT_TENANT_ID == 1
    assert Principal(7).tenant_id == 7
