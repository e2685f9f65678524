"""`PUT` and `DELETE /connections/{connection}`: accounts at stores and ERPs, with secrets that go in and never out."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, Field
from starlette.requests import Request

from ml_connector.desk import connections
from ml_connector.desk.actions import Refused
from ml_connector.desk.connections import Unusable
from ml_connector.web.api.parts import Connects, api_of
from ml_connector.web.api.problems import Refusal
from ml_connector.web.api.shapes import Name, Words

router = APIRouter(tags=["configuration"])


def _storable(given: dict[str, Any]) -> dict[str, Any]:
    if "\\u0000" in json.dumps(given):
        raise ValueError("texts hold no NUL character")
    return given


Called = Annotated[str, Path(max_length=40, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", examples=["ledger"])]
Values = Annotated[dict[str, Any], AfterValidator(_storable)]


class ConnectionGiven(BaseModel):
    """As the configuration file has it, but for the secrets."""

    system: Name = Field(examples=["s4hana"])
    base_url: Name = Field(examples=["https://my123456-api.s4hana.example"])
    sandbox: bool = Field(default=False, description="No real books are behind it.")
    allow_private: bool = Field(default=False, description="It stands in our own network.")
    proxy: Words = ""
    settings: Values = Field(default={}, examples=[{"company_code": "1710"}])
    credentials: dict[str, Annotated[str, Field(max_length=65_536)]] = Field(
        default={},
        description="Values, which are kept encrypted and told by no call. Those left out stay as they are.",
        examples=[{"client_id": "BCCONNECT"}],
    )


class ConnectionSaved(BaseModel):
    """`changes`: in words, without secrets; empty where it was so already."""

    connection: str
    changes: list[str]


@router.put("/connections/{connection}", operation_id="save_connection")
async def put(request: Request, connection: Called, given: ConnectionGiven, person: Connects) -> ConnectionSaved:
    """Makes it, or replaces its settings. Another address wants its secrets again."""
    entry: dict[str, Any] = {"system": given.system, "base_url": given.base_url}
    more = {"sandbox": given.sandbox, "allow_private": given.allow_private, "proxy": given.proxy}
    entry |= {name: value for name, value in {**more, "settings": given.settings}.items() if value}
    secrets = {name: value for name, value in given.credentials.items() if value.strip()}
    try:
        applied = await connections.put(api_of(request).runtime, connection, entry, secrets)
    except Unusable as error:
        wrong = [{"where": "body", "field": field, "message": words} for field, words in error.problems.items()]
        raise Refusal(422, " ".join(error.problems.values()), errors=wrong) from None
    return ConnectionSaved(connection=connection, changes=[change.words for change in applied.changes])


@router.delete("/connections/{connection}", operation_id="delete_connection")
async def delete(request: Request, connection: Called, person: Connects) -> ConnectionSaved:
    """Takes it out of the configuration, with set-ups that were never live. 409 while a live integration uses it."""
    runtime = api_of(request).runtime
    line = await connections.one(runtime, connection)
    if line is None:
        raise Refusal(404, f"No connection is called {connection}.")
    try:
        applied = await connections.delete(runtime, line, connection)
    except Refused as error:
        raise Refusal(409, str(error)) from None
    return ConnectionSaved(connection=connection, changes=[change.words for change in applied.changes])
