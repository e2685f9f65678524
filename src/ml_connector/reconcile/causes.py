"""Why something does not tie: each cause in words for the person who must act, and what may be done by itself."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """`docs/reconciliation.md` explains each."""

    WAITING = "waiting"
    HELD = "held"
    NEVER_HEARD = "never_heard"
    LATE = "late"
    DEAD = "dead"
    LEFT_OUT = "left_out"
    EXCLUDED = "excluded"
    MISSING = "missing"
    EDITED = "edited"
    DELETED = "deleted"
    REVERSED = "reversed"
    DUPLICATE = "duplicate"
    AMOUNT = "amount"
    TAX = "tax"
    CURRENCY = "currency"
    ACCOUNT = "account"
    DATE = "date"
    FOREIGN = "foreign"
    NOT_IN_STORE = "not_in_store"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class About:
    """`open`: not a difference, only not posted yet. `heals`: marking the order mends it."""

    words: str
    next_step: str
    open: bool = False
    heals: bool = False


_DECIDE = "Look at it in the ERP, then `ml-connector decide`: right, gone or retry."

ABOUT: dict[Cause, About] = {
    Cause.WAITING: About("not posted yet", "Nothing: it is on its way.", open=True),
    Cause.HELD: About("held for a person", "Do what the hold asks for; `ml-connector status` lists them.", open=True),
    Cause.NEVER_HEARD: About(
        "never heard of", "`ml-connector reconcile --heal` brings it in; look at webhooks and polls.", heals=True
    ),
    Cause.LATE: About(
        "waiting for longer than it should", "`ml-connector status` shows what fails; is a worker running?"
    ),
    Cause.DEAD: About("dead", "Read its error in `ml-connector status`, then `ml-connector replay`."),
    Cause.LEFT_OUT: About(
        "left out by a person",
        "Nothing, as long as the reason holds; `ml-connector exclude --undo` takes it back.",
        open=True,
    ),
    Cause.EXCLUDED: About(
        "left out by a rule, although the store's figures ask for it",
        "Read the reason; `ml-connector plan` shows what is decided now.",
        heals=True,
    ),
    Cause.MISSING: About("not posted although done", "`ml-connector reconcile --heal` plans it again.", heals=True),
    Cause.EDITED: About(
        "changed in the store after it was posted, and not amended yet",
        "`ml-connector reconcile --heal` plans it again.",
        heals=True,
    ),
    Cause.DELETED: About("posted, and gone from the ERP", _DECIDE),
    Cause.REVERSED: About("posted, and reversed by a person in the ERP", _DECIDE),
    Cause.DUPLICATE: About("more than one live document under one name", _DECIDE),
    Cause.AMOUNT: About("another amount", _DECIDE),
    Cause.TAX: About("another tax", _DECIDE),
    Cause.CURRENCY: About("another currency", _DECIDE),
    Cause.ACCOUNT: About("other accounts, customer or cost objects", _DECIDE),
    Cause.DATE: About("another posting date", _DECIDE),
    Cause.FOREIGN: About(
        "a document under our name that we did not post", "Ask who posted it; reverse it there if it is wrong."
    ),
    Cause.NOT_IN_STORE: About(
        "posted for an order that the store no longer has", "Was it deleted on purpose? Then reverse it in the ERP."
    ),
    Cause.UNKNOWN: About(
        "a document that the store's figures do not ask for", "Look at the order in the store and at its history."
    ),
}
