"""`ml-connector audit`: every call and every change of state, searched."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ml_connector.cli.opened import Opened, opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.engine import audit_queries
from ml_connector.engine.audit import KINDS
from ml_connector.engine.audit_queries import Question, Row


def command(
    integration: Annotated[str, typer.Argument(help="Name of the integration; empty: all.")] = "",
    order: Annotated[str, typer.Option(help="One order's whole story.")] = "",
    flow: Annotated[str, typer.Option(help="The flow that --order is looked up in.")] = "orders",
    reference: Annotated[str, typer.Option(help="Everything about one document, e.g. S1-O10250.")] = "",
    correlation: Annotated[str, typer.Option(help="Everything of one run or request.")] = "",
    kind: Annotated[list[str] | None, typer.Option(help=f"Repeatable: {', '.join(KINDS)}.")] = None,
    since: Annotated[datetime | None, typer.Option(help="UTC, included.")] = None,
    until: Annotated[datetime | None, typer.Option(help="UTC, excluded.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    export: Annotated[bool, typer.Option("--export", help="All rows, oldest first, one JSON object a line.")] = False,
    json: JsonOption = False,
) -> None:
    """Search every call and every change of state, newest first."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("audit") as home:
            question = Question(
                integration=(await home.registry.integration_named(integration)).id if integration else None,
                flow=flow if order else None,
                key=order or None,
                reference=reference or None,
                correlation=correlation or None,
                kinds=tuple(kind or ()),
                since=_utc(since),
                until=_utc(until),
            )
            if export:
                async for line in audit_queries.export(home.database, question):
                    out.line(line)
                return
            await _show(out, home, question, limit)

    run(out, work)


async def _show(out: Output, home: Opened, question: Question, limit: int) -> None:
    page = await audit_queries.page(home.database, question, limit=limit)
    if not page.rows:
        out.say("Nothing is recorded that fits.")
    out.table(
        "Audit, newest first",
        ("at", "kind", "flow", "key", "references", "what"),
        [(row.at, row.kind, row.flow, row.key, " ".join(row.refs), _words(row)) for row in page.rows],
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
