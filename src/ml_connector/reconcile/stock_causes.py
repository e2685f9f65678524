"""Why a SKU's stock does not tie, or not yet: each cause in words for the person who must act."""

from enum import StrEnum

from ml_connector.reconcile.causes import About


class StockCause(StrEnum):
    """`docs/reconciliation.md` explains each."""

    WAITING = "waiting"
    HELD = "held"
    LEFT_OUT = "left_out"
    LATE = "late"
    DEAD = "dead"
    CHANGED_IN_STORE = "changed_in_store"
    DISCONTINUED = "discontinued"
    NOT_IN_ERP = "not_in_erp"
    NOT_IN_STORE = "not_in_store"
    UNKNOWN = "unknown"


ABOUT: dict[StockCause, About] = {
    StockCause.WAITING: About("not written yet", "Nothing: it is on its way.", open=True),
    StockCause.HELD: About(
        "held for a person", "Do what the hold asks for; `ml-connector status` lists them.", open=True
    ),
    StockCause.LEFT_OUT: About(
        "the ERP has no such item, and never had", "Nothing, if it is sold without the ERP; else map it.", open=True
    ),
    StockCause.LATE: About(
        "waiting for longer than it should", "`ml-connector status` shows what fails; is a worker running?", heals=True
    ),
    StockCause.DEAD: About("dead", "Read its error in `ml-connector status`, then `ml-connector replay`."),
    StockCause.CHANGED_IN_STORE: About(
        "changed in the store by something else than us",
        "`ml-connector reconcile --heal` writes the ERP's figure again; ask who, or which app, changed it.",
        heals=True,
    ),
    StockCause.DISCONTINUED: About(
        "no longer sold in the ERP, and still offered", "`ml-connector reconcile --heal` takes it to zero.", heals=True
    ),
    StockCause.NOT_IN_ERP: About(
        "gone from the ERP, and still offered", "Take it out of the store, or map it to another item."
    ),
    StockCause.NOT_IN_STORE: About(
        "in the ERP, and the store keeps no stock of it", "Switch on its inventory tracking in the store, or unmap it."
    ),
    StockCause.UNKNOWN: About(
        "another quantity than the ERP has to sell", "`ml-connector reconcile --heal` compares and writes it again.",
        heals=True,
    ),
}  # fmt: skip
