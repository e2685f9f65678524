"""`ml-connector audit`: every call and every change of state, searched; the chain of its seals, verified and listed."""

import json as json_text
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from typer.core import TyperGroup

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.opened import Opened, opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.engine import audit_chain, audit_queries
from ml_connector.engine.audit import KINDS
from ml_connector.engine.audit_queries import Question, Row
from ml_connector.engine.audit_verify import Verdict, verify


class SearchesByDefault(TyperGroup):
    """`audit us-store` is `audit search us-store`: what people type most needs no second word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in ("--help", "-h"):
            args = ["search", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=SearchesByDefault, no_args_is_help=False)

IntegrationArgument = Annotated[str, typer.Argument(help="Name of the integration; empty: all.")]


@app.command("search")
def search(
    integration: IntegrationArgument = "",
    order: Annotated[str, typer.Option(help="One order's whole story.")] = "",
    flow: Annotated[str, typer.Option(help="The flow that --order is looked up in.")] = "orders",
    reference: Annotated[str, typer.Option(help="Everything about one document, e.g. S1-O10250.")] = "",
    correlation: Annotated[str, typer.Option(help="Everything of one run or request.")] = "",
    kind: Annotated[list[str] | None, typer.Option(help=f"Repeatable: {', '.join(KINDS)}.")] = None,
    who: Annotated[str, typer.Option(help="In whose name: user:NAME, token:NAME, cli:NAME or worker.")] = "",
    since: Annotated[datetime | None, typer.Option(help="UTC, included.")] = None,
    until: Annotated[datetime | None, typer.Option(help="UTC, excluded.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    export: Annotated[bool, typer.Option("--export", help="All rows, oldest first, one JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="With --export: as CSV.")] = False,
    json: JsonOption = False,
) -> None:
    """Search every call and every change of state, newest first."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("audit") as home:
            question = Question(
                integration=await _number(home, integration),
                flow=flow if order else None,
                key=order or None,
                reference=reference or None,
                correlation=correlation or None,
                kinds=tuple(kind or ()),
                who=who or None,
                since=_utc(since),
                until=_utc(until),
            )
            if export:
                lines = audit_queries.export_csv if csv else audit_queries.export
                async for line in lines(home.database, question):
                    out.line(line)
                return
            await _show(out, home, question, limit)

    run(out, work)


@app.command("verify")
def verify_chain(
    integration: IntegrationArgument = "",
    against: Annotated[
        Path | None, typer.Option(help="Seals kept elsewhere: what `audit seals --json` wrote then.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Findings at most, per integration.")] = 10,
    json: JsonOption = False,
) -> None:
    """Compare every row with its seal and every seal with the one before. Exit status 1 where something is not as it
    was, 0 where all is unbroken."""
    out = Output(json=json)

    async def work() -> int:
        copies = _read_copy(against)
        async with opened("audit") as home:
            key = await audit_chain.known_key(home.vault)
            names = {each.id: each.name for each in await home.registry.integrations(active=False)}
            of = await _number(home, integration)
            there = await audit_chain.chains(home.database)
            # A chain that is in the copy and nowhere else has been taken away as a whole.
            numbers = [of] if of is not None else sorted({*there, *copies})
            verdicts: list[Verdict] = []
            with Progress(disable=json, transient=True) as bar:
                for number in numbers:
                    last = (await audit_chain.head(home.database, number)).number
                    task = bar.add_task(names.get(number, "of no integration"), total=last)
                    verdicts.append(
                        await verify(
                            home.database, number, key=key, copy=copies.get(number), limit=limit,
                            progress=lambda seal, task=task: bar.update(task, completed=seal.number),
                        )
                    )  # fmt: skip
        for verdict in verdicts:
            _say(out, names.get(verdict.integration, "of no integration"), verdict)
        if not verdicts:
            out.say("Nothing is recorded yet.")
        unbroken = all(verdict.unbroken and (verdict.signed or not verdict.seals) for verdict in verdicts)
        out.result({"unbroken": unbroken, "chains": [verdict.as_json() for verdict in verdicts]})
        return Exit.FINE if unbroken else Exit.FOUND

    run(out, work)


@app.command("seals")
def list_seals(
    integration: IntegrationArgument = "",
    after: Annotated[int, typer.Option(min=0, help="Only seals with a higher number.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, to be kept elsewhere.")] = False,
) -> None:
    """List the seals, oldest first. Keep them on another machine: `verify --against` compares with them."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("audit") as home:
            of = await _number(home, integration)
            for number in [of] if of is not None else await audit_chain.chains(home.database):
                async for seal in audit_chain.seals(home.database, number, after=after):
                    if json:
                        out.result(seal.as_json())
                    else:
                        gone = f"  rows removed {seal.removed_at:%Y-%m-%d}" if seal.removed_at else ""
                        out.say(
                            f"{seal.integration:>4} {seal.number:>7}  {seal.sealed_at:%Y-%m-%d %H:%M:%S}  "
                            f"{seal.rows:>6} rows through ID {seal.upto_id}  {seal.hash.hex()}{gone}"
                        )

    run(out, work)


def _say(out: Output, name: str, verdict: Verdict) -> None:
    through = verdict.through
    if verdict.unbroken and through is not None:
        out.say(
            f"{name}: unbroken through seal {through.number} of {through.sealed_at:%Y-%m-%d %H:%M:%S} UTC, "
            f"{verdict.rows:,} rows ({through.hash.hex()})."
        )
    elif verdict.unbroken:
        out.say(f"{name}: nothing is sealed yet.")
    else:
        until = "broken from the first seal"
        if through is not None:
            until = f"unbroken through seal {through.number} of {through.sealed_at:%Y-%m-%d %H:%M:%S} UTC"
        out.say(f"{name}: {until}. After it:", style="red")
        for finding in verdict.findings:
            out.say(f"  {finding.message}", style="red")
    if verdict.removed:
        out.say(f"  Retention removed {verdict.removed:,} rows, through seal {verdict.removed_through}.")
    if verdict.unsealed:
        out.say(f"  {verdict.unsealed:,} rows since {verdict.unsealed_since:%Y-%m-%d %H:%M:%S} UTC are not sealed yet.")
    if not verdict.signed and verdict.seals:
        words = "The vault has no sealing key, so nobody can tell who made these seals: was it deleted?"
        out.say(f"  {words}", style="red")


def _read_copy(path: Path | None) -> Mapping[int, Mapping[int, str]]:
    """Integration -> number -> hash. Raises `CliError`."""
    found: dict[int, dict[int, str]] = {}
    if path is None:
        return found
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    seal = json_text.loads(line)
                    found.setdefault(int(seal["integration"]), {})[int(seal["number"])] = str(seal["hash"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CliError(f"{path} is no list of seals as `ml-connector audit seals --json` writes it: {error}") from None
    return found


async def _number(home: Opened, name: str) -> int | None:
    return (await home.registry.integration_named(name)).id if name else None


async def _show(out: Output, home: Opened, question: Question, limit: int) -> None:
    page = await audit_queries.page(home.database, question, limit=limit)
    if not page.rows:
        out.say("Nothing is recorded that fits.")
    out.table(
        "Audit, newest first",
        ("at", "who", "kind", "flow", "key", "references", "what"),
        [(row.at, row.who, row.kind, row.flow, row.key, " ".join(row.refs), _words(row)) for row in page.rows],
    )
    if page.next is not None:
        out.say(f"There is more; --limit shows more than {limit}, --export everything.")
    out.result({"rows": [row.as_json() for row in page.rows], "more": page.next is not None})


def _words(row: Row) -> str:
    data: dict[str, Any] = dict(row.data)
    if row.kind == "call":
        return f"{data.get('method', '')} {data.get('url', '')} {data.get('status') or data.get('error', '')}"
    return ", ".join(f"{name} {value}" for name, value in data.items() if not isinstance(value, dict | list))[:200]


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
