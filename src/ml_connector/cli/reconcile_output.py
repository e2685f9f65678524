"""A reconciliation in tables for a person, as JSON and as CSV for a script. Documented in `docs/reconciliation.md`."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from ml_connector.cli.output import Output
from ml_connector.cli.reconcile_stock import stock_rows
from ml_connector.reconcile.causes import ABOUT
from ml_connector.reconcile.stock_values import StockTotals
from ml_connector.reconcile.totals import Totals, difference_to_json
from ml_connector.reconcile.values import Difference

COLUMNS = (
    *("section", "integration", "day", "currency", "kind", "account", "order", "reference", "cause"),
    *("store", "open", "ours", "erp", "difference", "documents", "text", "next_step", "sku", "item", "location"),
)
"""Of the CSV. `section`: row, account, difference, open, orders, stock, stock_open, skus."""

_STATE_WORDS = {
    "posted": "posted",
    "waiting": "on their way",
    "held": "held for a person",
    "excluded": "left out by a rule",
    "dead": "dead",
    "never_heard": "never heard of",
    "not_in_store": "no longer in the store",
}


def say(out: Output, integration: str, first: date, last: date, totals: Totals, marked: Sequence[str]) -> None:
    """Tables and the verdict."""
    out.table(
        f"{integration}, {first} to {last}: store against ERP",
        ("day", "currency", "what", "store", "not posted yet", "posted by us", "in the ERP", "difference", "documents"),
        [
            (r.day, r.currency, r.kind, r.store, r.open or "", r.ours, r.erp, r.difference or "", r.documents or "")
            for r in totals.rows
        ],
    )
    out.table(
        "By account, debit minus credit: what we posted against what the ERP holds",
        ("currency", "account", "posted by us", "in the ERP", "difference"),
        [(r.currency, r.account, r.ours, r.erp, r.difference or "") for r in totals.account_totals],
    )
    out.table(
        "Accounts that differ on a day",
        ("day", "currency", "account", "posted by us", "in the ERP", "difference"),
        [(r.day, r.currency, r.account, r.ours, r.erp, r.difference) for r in totals.accounts if r.difference],
    )
    out.table(
        "Every order of the window",
        ("orders", "are", "because"),
        [
            (count, _STATE_WORDS.get(state, state), _reasons(totals, state))
            for state, count in sorted(totals.states.items())
        ],
    )
    _say_differences(out, "Not posted yet, for a known reason", totals.open)
    _say_differences(out, "Does not tie", totals.differences)
    if marked:
        out.say(f"{len(marked)} orders marked; a worker looks at them again: {', '.join(marked[:20])}")
    verdict = "Everything ties." if totals.ties else "It does NOT tie: see above."
    out.say(
        f"{totals.orders} orders, {totals.documents} live documents, {len(totals.open)} not posted yet, "
        f"{len(totals.differences)} differences, largest of a currency {totals.largest}. {verdict}",
        style="green" if totals.ties else "red",
    )


def as_json(totals: Totals) -> dict[str, Any]:
    """The whole result; amounts are texts."""
    return {
        "ties": totals.ties,
        "orders": {
            "total": totals.orders,
            "by_state": dict(totals.states),
            "reasons": [
                {"state": state, "reason": reason, "orders": count}
                for (state, reason), count in sorted(totals.reasons.items())
            ],
        },
        "documents": totals.documents,
        "largest_difference": str(totals.largest),
        "by_currency": {currency: str(amount) for currency, amount in totals.by_currency.items()},
        "rows": [
            {
                "day": r.day, "currency": r.currency, "kind": r.kind, "store": r.store, "open": r.open, "ours": r.ours,
                "erp": r.erp, "difference": r.difference, "documents": r.documents,
            }
            for r in totals.rows
        ],
        "accounts": [
            {
                "day": r.day, "currency": r.currency, "account": r.account, "ours": r.ours, "erp": r.erp,
                "difference": r.difference,
            }
            for r in totals.accounts
        ],
        "account_totals": [
            {"currency": r.currency, "account": r.account, "ours": r.ours, "erp": r.erp, "difference": r.difference}
            for r in totals.account_totals
        ],
        "open": [difference_to_json(each) for each in totals.open],
        "differences": [difference_to_json(each) for each in totals.differences],
    }  # fmt: skip


def as_csv(results: Iterable[tuple[str, Totals, StockTotals | None]]) -> str:
    """One table with a header; cells that a section does not have are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for integration, totals, stock in results:
        for row in (*_csv_rows(totals), *(stock_rows(stock) if stock is not None else ())):
            writer.writerow({"integration": integration, **{name: _cell(value) for name, value in row.items()}})
    return text.getvalue()


def _csv_rows(totals: Totals) -> Iterable[Mapping[str, object]]:
    for r in totals.rows:
        yield {
            "section": "row", "day": r.day, "currency": r.currency, "kind": r.kind, "store": r.store, "open": r.open,
            "ours": r.ours, "erp": r.erp, "difference": r.difference, "documents": r.documents,
        }  # fmt: skip
    for a in totals.accounts:
        yield {
            "section": "account", "day": a.day, "currency": a.currency, "account": a.account, "ours": a.ours,
            "erp": a.erp, "difference": a.difference,
        }  # fmt: skip
    for each in totals.found:
        yield {
            "section": "open" if each.open else "difference", "day": each.day, "currency": each.currency,
            "kind": each.kind, "order": each.order_id, "reference": each.reference, "cause": str(each.cause),
            "store": each.store, "ours": each.ours, "erp": each.erp, "difference": each.amount, "text": each.text,
            "next_step": ABOUT[each.cause].next_step,
        }  # fmt: skip
    for state, count in sorted(totals.states.items()):
        yield {"section": "orders", "cause": state, "documents": count, "text": _reasons(totals, state)}


def _say_differences(out: Output, title: str, found: Sequence[Difference]) -> None:
    out.table(
        title,
        ("day", "order", "reference", "store", "posted", "ERP", "currency", "likely cause", "what", "next step"),
        [
            (
                *(d.day, d.order_id, d.reference, d.store, d.ours, d.erp, d.currency),
                *(ABOUT[d.cause].words, d.text, ABOUT[d.cause].next_step),
            )
            for d in found
        ],
    )


def _reasons(totals: Totals, state: str) -> str:
    found = [(reason, count) for (of, reason), count in sorted(totals.reasons.items()) if of == state]
    return ", ".join(f"{reason}: {count}" for reason, count in found)


def _cell(value: object) -> str:
    """Spreadsheets take a text that begins like a formula for one."""
    if value is None:
        return ""
    if isinstance(value, Decimal | int | date):
        return str(value)
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
