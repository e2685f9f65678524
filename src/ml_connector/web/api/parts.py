"""What every call of the API stands on: the database and what is configured, who asks, and which integration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from ml_connector.desk.sides import system_title
from ml_connector.domain.access import Person, Right
from ml_connector.engine.database import Database
from ml_connector.engine.registry import Connection, Integration, Registry
from ml_connector.flows.runtime import Runtime
from ml_connector.web.access import requires
from ml_connector.web.api.problems import Refusal

Looks = Annotated[Person, Depends(requires(Right.look))]
Decides = Annotated[Person, Depends(requires(Right.decide))]
Connects = Annotated[Person, Depends(requires(Right.connect))]
Maps = Annotated[Person, Depends(requires(Right.map))]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a call is about: active integrations, by name, with the connections of them all."""

    integrations: Sequence[Integration]
    connections: Sequence[Connection]

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(each.id for each in self.integrations)

    @property
    def names(self) -> dict[int, str]:
        return {each.id: each.name for each in self.integrations}

    @property
    def erps(self) -> dict[int, str]:
        """Integration -> what its ERP is called."""
        systems = {each.id: each.system for each in self.connections}
        return {each.id: system_title(systems.get(each.erp, "the ERP")) for each in self.integrations}


@dataclass(frozen=True, slots=True)
class Api:
    """One for the application, at `app.state.api`."""

    runtime: Runtime

    @property
    def database(self) -> Database:
        return self.runtime.database

    @property
    def registry(self) -> Registry:
        return self.runtime.registry

    async def scope(self, integration: str = "") -> Scope:
        """Of all active integrations, or of the one of that name. Raises `Refusal` (404)."""
        found = await self.registry.integrations()
        if integration:
            mine = [each for each in found if each.name == integration]
            if not mine:
                known = ", ".join(each.name for each in found) or "none"
                raise Refusal(404, f"No integration has the name that was given. There are: {known}.")
            found = mine
        return Scope(found, await self.registry.connections())

    async def one(self, integration: str) -> Integration:
        """The active integration of that name. Raises `Refusal` (404)."""
        return (await self.scope(integration)).integrations[0]


def api_of(connection: HTTPConnection) -> Api:
    """The API of the application that was called."""
    return connection.app.state.api
