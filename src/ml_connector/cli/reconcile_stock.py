"""The stock of a reconciliation, for a person and as rows of the CSV. Documented in `docs/reconciliation.md`."""

from collections.abc import Iterable, Mapping, Sequence

from ml_connector.cli.output import Output
from ml_connector.reconcile.stock_causes import ABOUT, StockCause
from ml_connector.reconcile.stock_values import EQUAL, NOT_OFFERED, StockDifference, StockTotals

SHOWN = 200
_STATE_WORDS = {EQUAL: "equal on both sides", NOT_OFFERED: "not in the ERP, and none is offered"}


def say_stock(out: Output, integration: str, totals: StockTotals, marked: Sequence[str]) -> None:
    """Tables and the verdict."""
    out.table(
        f"{integration}, stock at {totals.at:%Y-%m-%d %H:%M} UTC: every SKU of the store",
        ("SKUs", "are"),
        [(count, _words(state)) for state, count in sorted(totals.by_state.items()) if count],
    )
    _say_found(out, "Stock that is not written yet, for a known reason", totals.on_the_way, totals.open)
    _say_found(out, "Stock that does not tie", totals.differing, totals.differences)
    if marked:
        out.say(f"{len(marked)} SKUs marked; a worker looks at them again: {', '.join(marked[:20])}")
    out.say(
        f"{totals.skus} SKUs, {totals.open} not written yet, {totals.differences} differences of {totals.pieces} "
        f"pieces; {totals.not_sold} items of the ERP are not in the store. "
        + ("Stock ties." if totals.ties else "Stock does NOT tie: see above."),
        style="green" if totals.ties else "red",
    )


def stock_rows(totals: StockTotals) -> Iterable[Mapping[str, object]]:
    """Of the CSV: a row for each location that differs, at least one for a SKU; then how many SKUs are what."""
    for each in (*totals.differing, *totals.on_the_way):
        shared = {
            "section": "stock_open" if each.open else "stock", "day": totals.at.date(), "cause": str(each.cause),
            "text": each.text, "next_step": ABOUT[each.cause].next_step, "sku": each.sku, "item": each.item,
        }  # fmt: skip
        if not each.places:
            yield shared
        for place in each.places:
            yield {
                **shared, "store": place.store, "ours": place.ours, "erp": place.expected,
                "difference": place.difference, "location": place.name,
            }  # fmt: skip
    for state, count in sorted(totals.by_state.items()):
        yield {"section": "skus", "cause": state, "documents": count}


def _say_found(out: Output, title: str, found: Sequence[StockDifference], count: int) -> None:
    out.table(
        title,
        ("SKU", "item", "location", "store", "ERP", "we wanted", "on orders", "likely cause", "what", "next step"),
        [
            (
                each.sku,
                each.item,
                "\n".join(place.name for place in each.places),
                "\n".join(str(place.store) for place in each.places),
                "\n".join(str(place.expected) for place in each.places),
                "\n".join("" if place.ours is None else str(place.ours) for place in each.places),
                each.reserved or "",
                *(ABOUT[each.cause].words, each.text, ABOUT[each.cause].next_step),
            )
            for each in found[:SHOWN]
        ],
    )
    if count > SHOWN:
        out.say(f"{count - SHOWN} more: `--json` and `--csv` list them.")


def _words(state: str) -> str:
    return ABOUT[StockCause(state)].words if state in set(StockCause) else _STATE_WORDS[state]
