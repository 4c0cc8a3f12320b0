"""The routes of keys, for a tenant's admin."""

from fastapi import APIRouter, Depends
from starlette.responses import Response

from serve_app.api.bodies import JsonRoute
from serve_app.api.caller import Admin, Serving
from serve_app.api.fields import Text
from serve_app.api.idempotency import refuse_key
from serve_app.api.key_bodies import (
    IssuedKeyResponse,
    KeyCreate,
    KeyResponse,
    KeyRotate,
    KeysResponse,
)
from serve_app.operations.registry import require_all

router = APIRouter(route_class=JsonRoute, tags=["keys"])


@router.get("/v1/keys")
async def list_keys(service: Serving, caller: Admin) -> KeysResponse:
    """All keys of the caller's tenant, also those that ended."""
    keys = await service.registry.list_keys(caller.tenant_id)
    return KeysResponse(keys=[KeyResponse.of(key) for key in keys])


@router.post("/v1/keys", status_code=201, dependencies=[Depends(refuse_key)])
async def create_key(body: KeyCreate, service: Serving, caller: Admin) -> IssuedKeyResponse:
    """Make a key in the caller's tenant; `key` is in this answer and nowhere else."""
    draft = body.to_draft(caller)
    require_all(caller, draft.scopes)
    return IssuedKeyResponse.issued(await service.registry.issue(draft))


@router.delete("/v1/keys/{key_id}", status_code=204, response_class=Response)
async def revoke_key(key_id: Text, service: Serving, caller: Admin) -> None:
    """End a key for good; every replica refuses it within two seconds."""
    await service.registry.revoke(caller.tenant_id, key_id)


@router.post("/v1/keys/{key_id}/rotate", status_code=201, dependencies=[Depends(refuse_key)])
async def rotate_key(
    key_id: Text, body: KeyRotate, service: Serving, caller: Admin
) -> IssuedKeyResponse:
    """A new key like the old, which lives on for `grace_seconds`."""
    return IssuedKeyResponse.issued(await service.registry.rotate(caller, key_id, body.grace))
