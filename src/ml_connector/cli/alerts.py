"""`ml-connector alerts`: what is wrong, who is told of it, and whether the channels work."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.opened import Opened, opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.config.alerts import AlertsFile, address_of, read_alerts, written
from ml_connector.engine import alert_channels, alert_rules, alerts
from ml_connector.engine.alert_channels import ChannelError
from ml_connector.engine.alert_rules import Channel, RuleError, Setup
from ml_connector.engine.audit import append, entry

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def show(
    every: Annotated[bool, typer.Option("--all", help="Also what is well again.")] = False, json: JsonOption = False
) -> None:
    """What is wrong now, the rules and the channels. Exit status 1 while something fires."""
    out = Output(json=json)

    async def work() -> int:
        async with opened("alerts") as home:
            found = [each for each in await alerts.alerts(home.database) if every or each.state != "recovered"]
            names = {each.id: each.name for each in await home.registry.integrations(active=False)}
            setup = await _setup(home)
        firing = [each for each in found if each.state == "firing"]
        out.say(f"{len(firing)} alerts fire." if firing else "Nothing fires.")
        out.table(
            "Alerts", ("state", "since", "rule", "what"),
            [(each.state, each.fired_at or each.since, each.rule, each.title) for each in found],
        )  # fmt: skip
        out.table(
            "Rules", ("rule", "of", "looks at", "over", "for", "tells", "muted until"),
            [
                (rule.name, names.get(rule.integration, "all"), "off" if rule.off else rule.kind, rule.over,
                 f"{rule.for_s:.0f} s", ", ".join(rule.channels) or "all channels", _ahead(rule.muted_until))
                for rule in setup.rules
            ],
        )  # fmt: skip
        out.table(
            "Channels", ("channel", "quiet", "last sent", "fails", "why"),
            [
                (each.name, _hours(each), each.sent_at, each.failures or "", each.error)
                for each in setup.channels.values()
            ],
        )  # fmt: skip
        if not setup.channels:
            out.say("No channel is set: nobody is told. See `ml-connector alerts apply`.", style="yellow")
        out.result(
            {
                "alerts": [_plain(each) for each in found],
                "rules": [
                    {"name": rule.name, "integration": rule.integration, **rule.as_json()} for rule in setup.rules
                ],
                "channels": [_plain_channel(each) for each in setup.channels.values()],
            }
        )
        return Exit.FOUND if firing else Exit.FINE

    run(out, work)


@app.command("test")
def tell(channel: Annotated[str, typer.Argument(help="Name of the channel.")], json: JsonOption = False) -> None:
    """Send a message and show exactly what was sent."""
    out = Output(json=json)

    async def work() -> int:
        async with opened("alerts") as home:
            setup = await _setup(home)
            known = setup.channels.get(channel)
            if known is None:
                raise CliError(
                    f"No channel is called {channel!r}; there is: {', '.join(setup.channels) or 'none yet'}."
                )
            try:
                message = await alert_channels.send_test(home.vault, known)
            except ChannelError as error:
                raise CliError(f"The channel {channel} did not work: {error}.", Exit.FOUND) from None
        out.say(f"{message.title}\n{message.body}")
        out.result({"title": message.title, "body": message.body})
        return Exit.FINE

    run(out, work)


@app.command("mute")
def mute(
    rule: Annotated[str, typer.Argument(help="Name of the rule.")],
    minutes: Annotated[float, typer.Option("--for", min=0, help="Minutes; 0: it speaks again at once.")] = 60,
    integration: Annotated[str, typer.Option(help="Of one integration alone.")] = "",
    json: JsonOption = False,
) -> None:
    """Tell nobody of a rule for a while. It goes on looking, and `list` shows what it finds."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("alerts") as home:
            setup = await _setup(home)
            of = (await home.registry.integration_named(integration)).id if integration else 0
            known = [each for each in setup.rules if each.name == rule]
            if not known:
                names = ", ".join(sorted({each.name for each in setup.rules}))
                raise CliError(f"No rule is called {rule!r}; there is: {names}.")
            chosen = next((each for each in known if each.integration == of), known[0])
            async with home.database.transaction() as sql:
                until = await alert_rules.mute(sql, replace(chosen, integration=of), minutes * 60)
                facts = {"event": "muted", "rule": rule, "until": until.isoformat()}
                await append(sql, [entry("alert", integration=of, data=facts)])
        out.say(f"{rule} is muted until {until:%Y-%m-%d %H:%M} UTC." if minutes else f"{rule} speaks again.")
        out.result({"rule": rule, "muted_until": until})

    run(out, work)


@app.command("apply")
def apply(file: Annotated[Path, typer.Argument(help="Rules and channels (YAML).")], json: JsonOption = False) -> None:
    """Set rules and channels as the file says: what it does not name is gone, rules that come with the product stay."""
    out = Output(json=json)

    async def work() -> None:
        try:
            wanted = read_alerts(file)
            async with opened("alerts") as home:
                await _apply(home, wanted, file)
        except RuleError as error:
            raise CliError(f"{file}: {error}.") from None
        out.say(f"{len(wanted.rules)} rules and {len(wanted.channels)} channels are set.")
        out.result({"rules": len(wanted.rules), "channels": sorted(wanted.channels)})

    run(out, work)


@app.command("export")
def export() -> None:
    """The rules and channels as a file; addresses are left out."""
    out = Output()

    async def work() -> None:
        async with opened("alerts") as home:
            names = {each.id: each.name for each in await home.registry.integrations(active=False)}
            setup = await _setup(home)
        out.line(yaml.safe_dump(written(setup, names), sort_keys=False, allow_unicode=True).rstrip())

    run(out, work)


async def _setup(home: Opened) -> Setup:
    async with home.database.connect() as sql:
        return await alert_rules.read(sql)


async def _apply(home: Opened, wanted: AlertsFile, file: Path) -> None:
    known = {each.name: each.id for each in await home.registry.integrations(active=False)}
    rules = wanted.rules_for(known)
    alert_rules.check_told(rules, wanted.channels.keys())
    before = await _setup(home)
    for name, given in wanted.channels.items():
        address = address_of(name, given, file.parent)
        channel: Channel = given.channel(name)
        if address is not None:
            await alert_channels.set_address(home.database, home.vault, channel, address)
        elif name in before.channels:
            async with home.database.transaction() as sql:
                await alert_rules.save_channel(sql, channel)
        else:
            raise RuleError(f"channel {name!r} is new and has no url")
    for name in before.channels.keys() - wanted.channels.keys():
        await alert_channels.remove(home.database, home.vault, name)
    async with home.database.transaction() as sql:
        await alert_rules.save_rules(sql, rules)
        facts = {"event": "set", "rules": [rule.name for rule in rules], "channels": sorted(wanted.channels)}
        await append(sql, [entry("alert", integration=0, data=facts)])


def _hours(each: Channel) -> str:
    return f"{each.quiet.start:%H:%M} to {each.quiet.end:%H:%M} {each.quiet.zone}" if each.quiet else ""


def _ahead(moment: datetime | None) -> datetime | None:
    return moment if moment is not None and moment > datetime.now(UTC) else None


def _plain(each: alerts.Alert) -> dict[str, Any]:
    names = ("integration", "rule", "subject", "state", "since", "fired_at", "recovered_at", "title", "body")
    return {name: getattr(each, name) for name in names}


def _plain_channel(each: Channel) -> dict[str, Any]:
    return {
        "name": each.name, "quiet": each.quiet.as_json() if each.quiet else None, "failures": each.failures,
        "error": each.error, "failed_at": each.failed_at, "sent_at": each.sent_at,
    }  # fmt: skip
