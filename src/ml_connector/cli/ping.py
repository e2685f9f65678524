"""`ml-connector ping`: every check of every connection, in words that an administrator can act on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.working import Working, working
from ml_connector.config.policy import policy_from
from ml_connector.config.served import unserved_choices
from ml_connector.connectors.base import Check, Pings
from ml_connector.connectors.errors import ConnectorError, Unreachable
from ml_connector.connectors.systems import find_system
from ml_connector.engine.registry import Connection, Integration
from ml_connector.flows.books import FIX, keep, told_by
from ml_connector.flows.health import sees_own_documents


@dataclass(frozen=True, slots=True)
class Pinged:
    """What one connection said."""

    connection: Connection
    checks: Sequence[Check]

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.needed and not check.ok]


def command(
    connection: Annotated[str, typer.Argument(help="Name of a connection; left out: all.")] = "",
    json: JsonOption = False,
) -> None:
    """Check every connection, or one, and say what is missing.

    Exit status 1 when a needed check failed, 3 when a system could not be reached at all.
    """
    out = Output(json=json)

    async def work() -> int:
        async with working("ping") as engine:
            registry = engine.home.registry
            wanted = [await registry.connection_named(connection)] if connection else await registry.connections()
            if not wanted:
                raise CliError("No connection is configured yet: see `ml-connector config apply`.")
            pinged = [await _ping(engine, each) for each in wanted]
        for each in pinged:
            _say(out, each)
        out.result(
            {
                "connections": [
                    {
                        "connection": each.connection.name,
                        "system": each.connection.system,
                        "ok": not each.failed,
                        "checks": [asdict(check) for check in each.checks],
                    }
                    for each in pinged
                ]
            }
        )
        failed = [check for each in pinged for check in each.failed]
        if any(check.kind == "connection" for check in failed):
            return Exit.UNREACHABLE
        return Exit.FOUND if failed else Exit.FINE

    run(out, work)


async def _ping(engine: Working, connection: Connection) -> Pinged:
    try:
        connector = await engine.runtime.connector(connection)
    except ValueError as error:  # a setting that its connector cannot use
        fix = "correct the configuration and apply it again"
        return Pinged(connection, [Check("settings", ok=False, message=str(error), fix=fix, kind="setting")])
    if not isinstance(connector, Pings):
        return Pinged(connection, [Check("ping", ok=True, message="this system offers no checks", needed=False)])
    try:
        checks = [*await connector.ping()]
        for integration in await engine.home.registry.integrations():
            well = all(check.ok or not check.needed for check in checks)
            if integration.erp == connection.id and well:
                seen = await sees_own_documents(engine.home.database, integration, connector)
                checks += [seen] if seen is not None else []
                if told := await told_by(connector):
                    checks.append(await _books(engine, integration, connection, told))
            if integration.erp == connection.id:
                checks += _unserved(integration, connection)
        return Pinged(connection, checks)
    except ConnectorError as error:
        kind = "connection" if isinstance(error, Unreachable) else "right"
        return Pinged(connection, [Check("ping", ok=False, message=str(error), kind=kind)])


async def _books(engine: Working, integration: Integration, connection: Connection, told: str) -> Check:
    clash = await keep(engine.home.database, integration, connection, told)
    name = f"books ({integration.name})"
    if clash:
        return Check(name, ok=False, message=clash, fix=FIX, kind="guard")
    return Check(name, ok=True, message=f"the system calls them {told}", kind="guard")


def _unserved(integration: Integration, connection: Connection) -> list[Check]:
    """What the integration's policy asks of the ERP in vain."""
    system = find_system(connection.system)
    name, fix = f"policy ({integration.name})", "make another choice in the policy and apply it"
    return [
        Check(name, ok=False, message=message, fix=fix, kind="setting")
        for _, message in unserved_choices(system, connection.settings, policy_from(integration.policy))
    ]


def _say(out: Output, pinged: Pinged) -> None:
    connection = pinged.connection
    out.say(f"{connection.name} ({find_system(connection.system).title}, {connection.base_url})", style="bold")
    for check in pinged.checks:
        sign, style = ("ok  ", "green") if check.ok else ("FAIL", "red") if check.needed else ("note", "yellow")
        out.say(f"  {sign}  {check.name}: {check.message}", style=style)
        if check.fix and not check.ok:
            out.say(f"        {check.fix}")
