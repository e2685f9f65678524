"""What a run found, as the page in `docs/` and as the one line of JSON at the end."""

import json
from collections.abc import Iterable
from typing import Any

from tests.crash.long.plan import FAULT_WORDS, WORKERS
from tests.crash.long.run import Found

_SHOWN = 20


def figures(found: Found) -> dict[str, Any]:
    """The last line: keys are stable, new ones may come."""
    verdict = found.verdict
    return {
        "orders": verdict.orders if verdict else None,
        "documents": verdict.documents if verdict else None,
        "partners": verdict.partners if verdict else None,
        "kills": found.kills.total(),
        "stops": found.stops.total(),
        "watchdog": found.alarms,
        "postgres_restarts": found.postgres_restarts,
        "faults": found.faults.total,
        "faults_by_kind": {system: dict(kinds) for system, kinds in found.faults.hits.items()},
        "changes": found.deeds.total() - found.deeds["refused by the store"],
        "uncertain_resolved": found.looked.resolved,
        "parked": found.parked,
        "recovery": found.recovery,
        "duplicates": verdict.duplicates if verdict else None,
        "missing": verdict.missing if verdict else None,
        "difference": format(verdict.difference, "f") if verdict else None,
        "waiting_for_money": verdict.waiting if verdict else None,
        "unsettled": len(verdict.unsettled) if verdict else None,
        "complaints": list(verdict.complaints[:_SHOWN]) if verdict else [],
        "clean": found.clean,
        "interrupted": found.interrupted,
        "seconds": round(found.seconds, 1),
        "seed": found.wishes.seed,
    }


def line(found: Found) -> str:
    return json.dumps(figures(found))


def page(found: Found) -> str:
    """Markdown, without a name or path of the machine."""
    verdict = found.verdict
    assert verdict is not None
    word = "Nothing is doubled, nothing is missing, every cent ties, every posting is settled."
    parts = [
        "# Crash report",
        "Written by `make crash`; [what it does and how to read it](crash-run.md).",
        f"**{word if found.clean else 'It does NOT hold: see below.'}**",
        _table(
            ("what", "figure"),
            (
                ("orders in the store", verdict.orders),
                ("journal entries in the ERP, reversals included", verdict.documents),
                ("customers created in the ERP", verdict.partners),
                ("documents or customers that exist twice", verdict.duplicates),
                ("documents that are missing", verdict.missing),
                ("largest difference of any currency", format(verdict.difference, "f")),
                ("unknown outcomes that a look-up resolved: found", found.looked.found),
                ("unknown outcomes that a look-up resolved: proved absent, sent again", found.looked.absent),
                ("orders held because their money is not captured yet", verdict.waiting),
                ("records or postings still open", len(verdict.unsettled)),
                ("workers at once", WORKERS),
                ("kills (SIGKILL) of workers", found.kills.total()),
                ("stops (SIGSTOP) of workers", found.stops.total()),
                ("stopped workers that the watchdog ended when they went on", found.alarms),
                ("kills of the webhook intake", found.intake_kills),
                ("PostgreSQL killed (`kill -9` of the postmaster) and started again", found.postgres_restarts),
                ("workers that ended by themselves and were replaced", len(found.ended)),
                ("records parked after three lone deaths, and replayed", found.parked),
                ("duration", f"{found.seconds / 60:.1f} min"),
                ("seed", found.wishes.seed),
            ),
        ),
        "## Recovery",
        "From the strike to the moment when every order and customer that the process had in its hands is finished by "
        "another one (or by itself, after a stop).",
        _table(
            ("strikes with work in hand", "median", "95 %", "worst"),
            [
                (
                    found.recovery["of"],
                    *(f"{found.recovery[name]} s" for name in ("median_s", "p95_s", "worst_s")),
                )
            ],
        ),
        "## Kills and stops by point",
        _table(
            ("point", "kills", "stops"),
            [
                (f"`{n}`" if "." in n else n, found.kills[n], found.stops[n])
                for n in sorted({*found.kills, *found.stops})
            ],
        ),
        _table(("stood still past", "stops"), sorted(found.past.items())),
        "## Faults of both systems",
        _table(
            ("system", "requests", "fault", "times", "share"),
            [
                (
                    system,
                    found.faults.requests[system],
                    FAULT_WORDS.get(kind, kind),
                    n,
                    _share(n, found.faults.requests[system]),
                )
                for system, kinds in found.faults.hits.items()
                for kind, n in sorted(kinds.items())
            ],
        ),
        "## What the merchant did meanwhile",
        _table(("change", "orders"), sorted(found.deeds.items())),
    ]
    if not found.clean:
        wrong = [*verdict.complaints, *verdict.unsettled]
        parts += ["## What is wrong", "\n".join(f"- {words}" for words in wrong[:200])]
    return "\n\n".join(parts) + "\n"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in cells)} |" for cells in lines)
