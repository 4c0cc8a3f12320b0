"""The routes of tenants, for the operator."""

from fastapi import APIRouter, Depends

from serve_app.api.bodies import JsonRoute
from serve_app.api.caller import Operator, Serving
from serve_app.api.fields import Text
from serve_app.api.idempotency import refuse_key
from serve_app.api.key_bodies import (
    CreatedTenantResponse,
    TenantChange,
    TenantCreate,
    TenantResponse,
    TenantsResponse,
)
from serve_app.operations.registry import require_other

router = APIRouter(route_class=JsonRoute, tags=["tenants"])


@router.get("/v1/tenants")
async def list_tenants(service: Serving, caller: Operator) -> TenantsResponse:
    """All tenants."""
    tenants = await service.registry.list_tenants()
    return TenantsResponse(tenants=[TenantResponse.of(tenant) for tenant in tenants])


@router.post("/v1/tenants", status_code=201, dependencies=[Depends(refuse_key)])
async def create_tenant(
    body: TenantCreate, service: Serving, caller: Operator
) -> CreatedTenantResponse:
    """Make a tenant, and the first key of its admin, which is in this answer and nowhere else."""
    return CreatedTenantResponse.created(*await service.registry.create_tenant_with_key(body.name))


@router.patch("/v1/tenants/{name}")
async def change_tenant(
    name: Text, body: TenantChange, service: Serving, caller: Operator
) -> TenantResponse:
    """Suspend a tenant, whose keys then get 403 within two seconds, or let it in again."""
    tenant = await service.registry.find_tenant(name)
    require_other(caller, tenant)
    suspended = body.status == "suspended"
    return TenantResponse.of(await service.registry.set_suspended(name, suspended))
