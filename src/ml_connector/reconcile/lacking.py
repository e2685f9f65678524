"""What stands against what the store asks for: not posted yet, missing, different, not asked for (any more)."""

from collections.abc import Mapping, Sequence

from ml_connector.connectors.base import StoredDocument
from ml_connector.domain.documents import ExcludedCode
from ml_connector.engine.postings import OPEN, Posting
from ml_connector.engine.records import Status
from ml_connector.reconcile.causes import Cause
from ml_connector.reconcile.measures import KIND_NAMES, Measures
from ml_connector.reconcile.values import TOUCHED, About
from ml_connector.reconcile.view import View


def against_store(
    view: View, about: About, standing: Sequence[Posting], live: Sequence[StoredDocument], *, settled: bool
) -> bool:
    """True: what the ERP lacks is known to be on its way, or waits for a person."""
    if about.thing.expected is None:
        if not standing or about.thing.kind not in KIND_NAMES:
            return False
        return _unasked(view, about, settled)
    if not standing:
        return False if settled and live else _lacking(view, about)
    words = _unlike(about.store, about.ours)
    if not words:
        return False
    if settled and not view.is_moving():
        return False  # one cause for one document
    return _not_yet(view, about, f"posted is {words}", otherwise=_cause_of(about.store, about.ours))


def _unasked(view: View, about: About, settled: bool) -> bool:
    """It stands, and the store does not ask for it (any more)."""
    if view.case.snapshot is None:
        if not settled:
            view.say(Cause.NOT_IN_STORE, about, f"{about.name} is posted; the store has no such order", about.name)
        return False
    if settled and not view.is_moving():
        return False
    return _not_yet(view, about, "the store does not ask for it any more", otherwise=Cause.UNKNOWN)


def _lacking(view: View, about: About) -> bool:
    """Nothing stands for what the store says."""
    expected, record = about.thing.expected, view.case.record
    assert expected is not None
    if record is None:
        fresh = view.rules.is_fresh(expected.at) or view.is_fresh()
        return view.say_of_order(Cause.WAITING if fresh else Cause.NEVER_HEARD, about, "")
    if record.status is Status.EXCLUDED and record.message.startswith(f"{ExcludedCode.BY_PERSON.value}:"):
        return view.say_of_order(Cause.LEFT_OUT, about, record.message)
    if record.status is Status.EXCLUDED and not view.is_stale():
        if about.store.amount:
            view.say_of_order(Cause.EXCLUDED, about, record.message)
        return False
    newest = about.thing.postings[-1] if about.thing.postings else None
    if newest is not None and newest.state in OPEN:
        return view.say_of_order(Cause.WAITING, about, "its outcome is not known yet")
    return _not_yet(view, about, "", otherwise=Cause.MISSING)


def _not_yet(view: View, about: About, words: str, *, otherwise: Cause) -> bool:
    """Whether the record accounts for what is lacking; if it does not, the cause is `otherwise`."""
    record = view.case.record
    if record is None:
        return view.say_of_order(Cause.NEVER_HEARD, about, words)
    if record.status is Status.HELD and not (record.hold in TOUCHED and about.thing.postings):
        return view.say_of_order(Cause.HELD, about, f"{record.hold}: {record.message}")
    if record.status is Status.DEAD:
        return view.say_of_order(Cause.DEAD, about, record.message)
    if not record.done and record.status is not Status.HELD:
        late = not view.rules.is_fresh(record.heard_at) and not view.is_fresh()
        return view.say_of_order(Cause.LATE if late else Cause.WAITING, about, record.message or words)
    expected = about.thing.expected
    if view.is_fresh() or (expected is not None and view.rules.is_fresh(expected.at)):
        return view.say_of_order(Cause.WAITING, about, words)
    if view.is_stale():
        view.say(Cause.EDITED, about, f"order {view.case.order_id} changed in the store on "
                  f"{view.modified():%Y-%m-%d %H:%M} UTC, after it was last read; {words or 'not posted'}",
                  about.name)  # fmt: skip
        return False
    text = f"order {view.case.order_id}: no live document for {about.name} in the ERP"
    view.say(otherwise, about, f"{about.name}: {words}" if words else text, about.name)
    return False


DECIDED_BY_A_PERSON = frozenset({"amended_after_invoicing"})
"""What was invoiced is credited and invoiced anew by a person alone: until then both sides differ, and say so."""


def two_sides(view: View, about: About, live: Sequence[StoredDocument]) -> bool:
    thing, record = about.thing, view.case.record
    if thing.expected is None:
        if thing.kind in KIND_NAMES:
            for document in live:
                words = f"{document.number} in the ERP has no counterpart in the store"
                view.say(Cause.UNKNOWN, about, words, document.reference, [document])
        return False
    waits = record is not None and record.hold not in TOUCHED
    name = about.name
    if not live:
        if waits:
            return True
        text = f"order {view.case.order_id}: no live document for {name} in the ERP"
        view.say(Cause.MISSING, about, text, name)
        return False
    main = thing.live
    if len(main) > 1:
        numbers = ", ".join(document.number for document in main)
        view.say(Cause.DUPLICATE, about, f"{name} is booked {len(main)} times: {numbers}", about.name, main)
        return False
    if main and main[0].currency != about.currency:
        words = f"{main[0].number} is in {main[0].currency}, the order in {about.currency}"
        view.say(Cause.CURRENCY, about, words, about.name, main)
    number = main[0].number if main else about.name
    if record is not None and record.hold in DECIDED_BY_A_PERSON:
        return True
    if about.store.amount != about.erp.amount:
        view.say(Cause.AMOUNT, about, f"{number} differs from the store", about.name, main)
    if about.store.tax != about.erp.tax:
        view.say(Cause.TAX, about, f"tax of {number} differs from the store", about.name, main,
                  (about.store.tax, about.erp.tax))  # fmt: skip
    return False


_TITLES: Mapping[str, str] = {
    "amount": "amount", "tax": "tax", "shipping": "shipping", "certificates": "gift certificates",
    "credit": "store credit",
}  # fmt: skip


def _unlike(store: Measures, posted: Measures) -> str:
    """Where two sides differ, in words."""
    found: list[str] = []
    for name, title in _TITLES.items():
        wanted, has = getattr(store, name), getattr(posted, name)
        if wanted is not None and has is not None and wanted != has:
            found.append(f"{title} {has}, the store says {wanted}")
    return "; ".join(found)


def _cause_of(store: Measures, posted: Measures) -> Cause:
    if store.amount != posted.amount:
        return Cause.AMOUNT
    return Cause.TAX if store.tax != posted.tax else Cause.ACCOUNT
