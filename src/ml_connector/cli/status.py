"""`ml-connector status`: what waits, what is held and why, what is done."""

from dataclasses import asdict, replace
from itertools import islice
from typing import Any, cast

from ml_connector.cli.exits import Exit
from ml_connector.cli.opened import Opened, opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.connectors.base import Timing
from ml_connector.engine import gate
from ml_connector.engine.status import depths, hold_groups, open_postings, troubles
from ml_connector.engine.stock_status import summaries
from ml_connector.reconcile.results import last_results

DIFFERENT_WORDS = 10
"""Lines of one reason where its records are told different things, such as two sums each. `--json` has all."""


def command(json: JsonOption = False) -> None:
    """What waits, what is held and why, what is done. Exit status 1 when something is held or dead."""
    out = Output(json=json)

    async def work() -> int:
        async with opened("status") as home:
            return await _show(out, home)

    run(out, work)


async def _show(out: Output, home: Opened) -> int:
    names = {each.id: each.name for each in await home.registry.integrations(active=False)}
    flows, holds = await depths(home.database), await hold_groups(home.database)
    bad, unknown = await troubles(home.database), await open_postings(home.database)
    closed = await gate.closed_until(home.database, await _longest_horizon_s(home))

    if not names:
        out.say("Nothing is configured yet: write a configuration and run `ml-connector config apply FILE`.")
    out.table(
        "Flows",
        ("integration", "flow", "waiting", "running", "synced", "excluded", "held", "dead", "due", "lag", "last done"),
        [
            (
                names.get(flow.integration, flow.integration),
                flow.flow,
                *(flow.by_status.get(name, 0) for name in ("waiting", "running", "synced", "excluded", "held", "dead")),
                flow.due,
                f"{flow.lag_s:.0f} s",
                flow.last_done_at,
            )
            for flow in flows
            if ":" not in flow.flow
        ],
    )
    out.table(
        "Held",
        ("integration", "flow", "waits for", "key", "records", "since", "why", "first"),
        [
            (
                names.get(h.integration, h.integration),
                h.flow,
                h.kind,
                h.key,
                h.count if len(h.by_message) == 1 else len(keys),
                h.since,
                message,
                ", ".join(keys[:5]),
            )
            for h in holds
            for message, keys in islice(h.by_message.items(), DIFFERENT_WORDS)
        ],
    )
    out.table(
        "Failing",
        ("integration", "flow", "key", "status", "attempts", "next", "error"),
        [
            (names.get(t.integration, t.integration), t.flow, t.key, t.status, t.attempts, t.next_at, t.error)
            for t in bad
        ],
    )
    out.table(
        "Outcome not known yet",
        ("integration", "state", "documents", "oldest sent", "known by"),
        [(names.get(o.integration, o.integration), o.state, o.count, o.oldest_sent_at, o.known_by) for o in unknown],
    )
    shelves = await summaries(home.database)
    out.table(
        "Stock",
        ("integration", "SKUs", "oldest figure", "too old", "drifted"),
        [(names.get(s.integration, s.integration), s.skus, f"{s.oldest_s:.0f} s", s.stale, s.drifted) for s in shelves],
    )
    nights = await last_results(home.database)
    out.table(
        "Last nightly reconciliation",
        ("integration", "when", "from", "to and with", "orders", "ties", "differences", "largest", "marked", "held"),
        [
            (
                *(names.get(n.integration, n.integration), n.at, n.first, n.last, n.orders),
                *("yes" if n.ties else "NO", n.differences, n.largest, n.marked, n.held),
            )
            for n in nights
        ],
    )
    if closed:
        out.say(f"Sending waits until {closed.until}: {closed.why}", style="yellow")
    out.result(
        {
            "integrations": names,
            "flows": [_named(names, asdict(flow)) for flow in flows],
            "held": [_named(names, asdict(hold)) for hold in holds],
            "failing": [_named(names, asdict(trouble)) for trouble in bad],
            "stock": [_named(names, asdict(each)) for each in shelves],
            "reconciled": [_named(names, asdict(night)) for night in nights],
            "uncertain": [_named(names, asdict(each)) for each in unknown],
        }
    )
    dead = any(trouble.status == "dead" for trouble in bad)
    return Exit.FOUND if holds or dead else Exit.FINE


async def _longest_horizon_s(home: Opened) -> float:
    """How long the slowest ERP connection waits after a loss of commits before it sends."""
    ledgers = {each.erp for each in await home.registry.integrations(active=False)}
    horizons = [
        replace(Timing(), **{name: float(str(value)) for name, value in timing.items() if value is not None}).h_s
        for connection in await home.registry.connections()
        if connection.id in ledgers
        for timing in [cast("dict[str, Any]", connection.content.get("timing") or {})]
    ]
    return max(horizons, default=Timing().h_s)


def _named(names: dict[int, str], facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts, "integration": names.get(facts["integration"], str(facts["integration"]))}
