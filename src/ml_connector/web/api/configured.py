"""`GET /integrations`, `/connections`, `/me`: what is configured, without any secret, and who asks."""

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from ml_connector.desk.sides import system_title
from ml_connector.domain.access import RIGHTS
from ml_connector.engine.breaker import all_states
from ml_connector.web.api.parts import Looks, api_of

router = APIRouter(tags=["configuration"])


class FlowConfigured(BaseModel):
    """A flow of an integration."""

    flow: str = Field(examples=["orders"])
    enabled: bool
    poll_s: int = Field(description="Seconds between two polls.", examples=[60])
    budget_s: int = Field(description="Seconds within which a change is to be done.", examples=[120])


class IntegrationConfigured(BaseModel):
    """A store joined with an ERP."""

    integration: str = Field(examples=["eu"])
    store: str = Field(description="Name of its connection.", examples=["web-store"])
    erp: str = Field(description="Name of its connection.", examples=["s4"])
    tag: str = Field(description="Stands in every reference of its documents.", examples=["S1"])
    active: bool
    mapping_version: int
    policy_version: int
    flows: list[FlowConfigured]


class IntegrationsConfigured(BaseModel):
    """All, by name."""

    integrations: list[IntegrationConfigured]


class ConnectionConfigured(BaseModel):
    """An account at a system. Credentials are told of by their names alone."""

    connection: str = Field(examples=["web-store"])
    system: str = Field(examples=["bigcommerce"])
    title: str = Field(examples=["BigCommerce"])
    sandbox: bool
    base_url: str = Field(examples=["https://api.bigcommerce.com"])
    credentials: list[str] = Field(description="Names of what is kept, never values.", examples=[["access_token"]])
    breaker: str = Field(description="`closed`: calls go; `open`, `half_open`: it did not answer.", examples=["closed"])


class ConnectionsConfigured(BaseModel):
    """All, by name."""

    connections: list[ConnectionConfigured]


class Me(BaseModel):
    """Whoever asks, as the audit will name them."""

    name: str = Field(examples=["nightly-export"])
    who: str = Field(examples=["token:nightly-export"])
    role: str = Field(examples=["viewer"])
    via: str = Field(examples=["token"], description="`session` or `token`.")
    rights: list[str] = Field(examples=[["look"]])


@router.get("/integrations", operation_id="integrations")
async def integrations(request: Request, person: Looks) -> IntegrationsConfigured:
    """Which stores are joined with which ERPs; also those that are switched off."""
    registry = api_of(request).registry
    names = {each.id: each.name for each in await registry.connections()}
    return IntegrationsConfigured(
        integrations=[
            IntegrationConfigured(
                integration=each.name,
                store=names.get(each.store, ""),
                erp=names.get(each.erp, ""),
                tag=each.tag,
                active=each.active,
                mapping_version=each.mapping_version or 0,
                policy_version=each.policy_version or 0,
                flows=[
                    FlowConfigured(
                        flow=flow,
                        enabled=settings.enabled,
                        poll_s=settings.poll_s,
                        budget_s=each.latency_budget_s(flow),
                    )
                    for flow, settings in each.flows.items()
                ],
            )
            for each in await registry.integrations(active=False)
        ]
    )


@router.get("/connections", operation_id="connections")
async def connections(request: Request, person: Looks) -> ConnectionsConfigured:
    """Accounts at stores and ERPs, and whether calls go to them now."""
    api = api_of(request)
    async with api.database.connect() as sql:
        breakers = await all_states(sql)
    return ConnectionsConfigured(
        connections=[
            ConnectionConfigured(
                connection=each.name,
                system=each.system,
                title=system_title(each.system),
                sandbox=each.sandbox,
                base_url=each.base_url,
                credentials=sorted(each.credentials),
                breaker=breakers[each.id].state if each.id in breakers else "closed",
            )
            for each in await api.registry.connections()
        ]
    )


@router.get("/me", operation_id="me")
async def me(person: Looks) -> Me:
    """Who asks, and what they may."""
    return Me(
        name=person.name, who=person.who, role=person.role, via=person.via, rights=sorted(RIGHTS[person.role])
    )  # fmt: skip
