"""The money of an order in three books: what the store says, what was planned, what stands in the ERP. Line by line.

The store's side is of the snapshot that was read last, the plan's of our documents, the ERP's of what was read back:
what was counted after posting is as it was sent (P11), the rest is known only when it is read again.
"""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import ValidationError

from ml_connector.desk import decide
from ml_connector.desk.decide import LOOK_S, Look
from ml_connector.desk.record import amount_of
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import ITEMISED, Document, Kind, Line, Role
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.money import ZERO, minor_unit, round_half_up
from ml_connector.engine import postings
from ml_connector.engine.database import Database
from ml_connector.engine.postings import LIVE, Name, Posting, State, live_generations
from ml_connector.engine.views import amounts
from ml_connector.engine.views.amounts import Kept
from ml_connector.flows.runtime import Runtime
from ml_connector.reconcile.measures import as_stored, sums_by_account

Key = tuple[str, str]
"""Kind of a row, and its name within the kind."""

_ORDER = (
    *(
        "goods",
        "discounts",
        "certificates_sold",
        "shipping",
        "handling",
        "wrapping",
        "fees",
        "tax",
        "rounding",
        "other",
    ),
    *("total", "by_certificate", "by_credit", "by_status", "capture", "refund", "paid_back"),
)
_EXACT = ("total", "by_status", "capture", "refund", "paid_back")
_OURS_ALONE = ("by_status", "paid_back")
"""Rows that the store tells no amount of: the ERP's is compared with the plan's."""
_TITLES: Mapping[str, str] = {
    "goods": "Goods", "discounts": "Discounts", "certificates_sold": "Gift certificates sold", "shipping": "Shipping",
    "handling": "Handling", "wrapping": "Gift wrapping", "fees": "Fees", "rounding": "Rounding", "other": "Other",
    "total": "Total", "by_certificate": "Paid by gift certificate", "by_credit": "Paid by store credit",
    "by_status": "Payment, as the order’s status says",
}  # fmt: skip
_ROLES: Mapping[Role, str] = {
    Role.REVENUE: "goods", Role.DISCOUNT_PROMOTION: "discounts", Role.DISCOUNT_COUPON: "discounts",
    Role.DISCOUNT_MANUAL: "discounts", Role.SHIPPING_INCOME: "shipping", Role.HANDLING_INCOME: "handling",
    Role.WRAPPING_INCOME: "wrapping", Role.FEE_INCOME: "fees", Role.TAX_PAYABLE: "tax", Role.ROUNDING: "rounding",
}  # fmt: skip
_SALES = frozenset({Kind.ORDER, Kind.ADJUSTMENT, *ITEMISED} - {Kind.CREDIT_MEMO})
_PAYMENTS = frozenset({Kind.PAYMENT, Kind.DEPOSIT})
_REFUNDS = frozenset({Kind.REFUND, Kind.CREDIT_MEMO})
_THING = re.compile(r".*-([A-Z])(\d+|Z[0-9A-Z]+)?")


@dataclass(frozen=True, slots=True)
class Row:
    """`erp` None: `words` says why: not posted, not read. `difference`: the ERP's less the store's, or less the plan's
    where the store tells none."""

    label: str
    store: Decimal | None
    plan: Decimal | None
    erp: Decimal | None
    words: str
    difference: Decimal | None
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Amounts:
    """`store_known` false: no run has kept what the store said, and the rows are those of our documents. `read_now`:
    the ERP's side was read a moment ago; `as_sent`: a part of it is what was sent, and not read back yet."""

    currency: str
    rows: Sequence[Row]
    store_known: bool
    read_now: bool
    as_sent: bool

    @property
    def differing(self) -> int:
        return sum(1 for row in self.rows if row.difference)


@dataclass(slots=True)
class _Side:
    """`unknown`: rows of which a part is in no known state. `missing`: rows of which nothing is posted. `has_money`: an
    order's own entry carries its payments (one step). `reversed`: something was posted and is undone."""

    plan: dict[Key, Decimal] = field(default_factory=dict[Key, Decimal])
    erp: dict[Key, Decimal] = field(default_factory=dict[Key, Decimal])
    unknown: set[Key] = field(default_factory=set[Key])
    missing: set[Key] = field(default_factory=set[Key])
    has_discounts: bool = False
    has_money: bool = False
    reversed: bool = False
    as_sent: bool = False


async def read(database: Database, integration: int, key: str) -> Amounts | None:
    """Of an order, by what is kept. None where there is no money to show."""
    kept, rows = await _known(database, integration, key)
    return amounts_of(kept, rows, {}, None)


async def read_now(runtime: Runtime, integration: int, key: str) -> Amounts | None:
    """The same with the ERP's side read from it now, for `LOOK_S` at most. Raises `ConnectorError`, `TimeoutError`."""
    kept, rows = await _known(runtime.database, integration, key)
    async with asyncio.timeout(LOOK_S):
        context = await runtime.context(integration, None)
        looks = {
            each.name: await decide.look(runtime, each)
            for each in _current(rows)
            if each.state not in (State.PLANNED, State.REJECTED) and each.kind != Kind.SHIPMENT.value
        }
    return amounts_of(kept, rows, looks, context.mapping)


async def _known(database: Database, integration: int, key: str) -> tuple[Kept | None, Collection[Posting]]:
    async with database.connect() as sql:
        kept = await amounts.of_order(sql, integration, key)
        rows = await postings.of_records(sql, integration, "orders", [key])
    return kept, rows.values()


def amounts_of(
    kept: Kept | None, rows: Collection[Posting], looks: Mapping[Name, Look], tables: Tables | None
) -> Amounts | None:
    """`looks`: what the ERP showed of documents when it was asked just now, and `tables` to read it by. None where
    there is no money to show."""
    side = _Side(reversed=any(each.reverses is not None and each.state in LIVE for each in rows))
    currency = kept.currency if kept else ""
    for posting in _current(rows):
        try:
            document = document_from_json(posting.content)
        except ValidationError:  # written by another version
            continue
        if not document.lines:
            continue
        currency = currency or document.currency
        _add(side, posting, document, looks.get(posting.name), tables)
    if kept is None and not side.plan:
        return None
    store = _of_store(kept, currency, side) if kept else {}
    keys = sorted({*store, *side.plan}, key=lambda key: (_ORDER.index(key[0]), key[1]))
    made = [_row(key, store.get(key), side, currency, kept) for key in keys]
    shown = [row for row in made if row is not None]
    return Amounts(currency, shown, kept is not None, bool(looks), side.as_sent) if shown else None


def _current(rows: Collection[Posting]) -> list[Posting]:
    """Of each reference what stands, else its youngest generation; reversals aside."""
    live = live_generations(rows)
    youngest: dict[str, Posting] = {}
    for posting in sorted(rows, key=lambda each: each.name):
        if posting.is_entry and posting.state is not State.VOID and posting.kind != Kind.CUSTOMER.value:
            youngest[posting.name.reference] = posting
    undone = {posting.reverses for posting in rows if posting.reverses is not None and posting.state in LIVE}
    return [
        live.get(reference, posting)
        for reference, posting in youngest.items()
        if reference in live or posting.name not in undone
    ]


def _add(side: _Side, posting: Posting, document: Document, look: Look | None, tables: Tables | None) -> None:
    parts = _parts(document)
    side.has_money |= document.kind is Kind.ORDER and any(line.role is Role.CLEARING for line in document.lines)
    side.has_discounts |= any(key[0] == "discounts" for key, _, _ in parts)
    shifts = _shifts(parts, look, document, tables) if look is not None and tables is not None else {}
    for key, _, amount in parts:
        side.plan[key] = side.plan.get(key, ZERO) + amount
    if look is not None:
        known, there = len(look.live) < 2, len(look.live) == 1
        gone = not look.live and posting.state in LIVE
    else:
        there, gone = posting.state in LIVE, False
        side.as_sent |= posting.state is State.POSTED and not posting.adopted
        known = (there and not posting.adopted) or posting.state in (State.PLANNED, State.REJECTED)
    for key, _, amount in parts:
        if not known:
            side.unknown.add(key)
        elif gone:  # we posted it, and the ERP shows nothing of it now
            side.erp[key] = side.erp.get(key, ZERO)
        elif not there:
            side.missing.add(key)
        else:
            side.erp[key] = side.erp.get(key, ZERO) + amount
    if known and there:
        for key, shift in shifts.items():
            side.erp[key] = side.erp.get(key, ZERO) + shift


def _parts(document: Document) -> list[tuple[Key, str, Decimal]]:
    """Row, account as a read service names it, and the amount with the sign that a person expects."""
    if document.kind in _SALES:
        parts = [(_key(line), _account(line), -line.signed) for line in document.lines if _key(line)[0]]
        parts += [
            (
                ("by_certificate" if line.role is Role.GIFT_CERTIFICATE_LIABILITY else "by_credit", ""),
                line.account,
                line.signed,
            )
            for line in document.lines
            if line.role in (Role.GIFT_CERTIFICATE_LIABILITY, Role.STORE_CREDIT_LIABILITY) and line.signed > 0
        ]
        whole = sum((-line.signed for line in document.lines if _key(line)[0]), ZERO)
        return [*parts, (("total", ""), "", whole)]
    match = _THING.fullmatch(document.base_reference)
    letter, thing = (match[1], match[2] or "") if match else ("", document.base_reference)
    named = str(int(thing[1:], 36)) if thing.startswith("Z") else thing
    kind = {"T": "by_credit", "G": "by_certificate", "S": "by_status"}.get(letter, "")
    if document.kind in _PAYMENTS:
        key = (kind, "") if kind else ("capture", named)
    elif document.kind in _REFUNDS:
        key = ("refund", named)
    elif document.kind is Kind.REFUND_PAYMENT:
        key = ("paid_back", named)
    else:
        return []
    return [(key, "", amount_of(document) or ZERO)]


def _key(line: Line) -> Key:
    """The row of a line of a sale; empty for what the buyer owes and pays with."""
    if line.role is Role.GIFT_CERTIFICATE_LIABILITY:
        return ("certificates_sold", "") if line.signed < 0 else ("", "")
    kind = _ROLES.get(line.role, "")
    return (kind, line.tax_code) if kind == "tax" else (kind, "")


def _account(line: Line) -> str:
    return f"tax {line.tax_code}" if line.role is Role.TAX_PAYABLE else line.account.lstrip("0")


def _shifts(
    parts: Sequence[tuple[Key, str, Decimal]], look: Look, document: Document, tables: Tables
) -> dict[Key, Decimal]:
    """By how much rows are off in the ERP: the difference of an account goes to its largest row. The total goes with
    them; of a payment or a refund it is the customer's side."""
    if len(look.live) != 1:
        return {}
    planned, there = sums_by_account(as_stored(document, tables)), sums_by_account(look.live[0])
    moved: dict[Key, Decimal] = {}
    for name in {*planned, *there}:
        off = there.get(name, ZERO) - planned.get(name, ZERO)
        if not off:
            continue
        if document.kind not in _SALES:
            if name == "receivables":
                moved[parts[0][0]] = (
                    moved.get(parts[0][0], ZERO) + abs(there.get(name, ZERO)) - abs(planned.get(name, ZERO))
                )
            continue
        if name == "receivables":
            moved["total", ""] = moved.get(("total", ""), ZERO) + off
            continue
        rows = [(key, amount) for key, account, amount in parts if account == name]
        key = max(rows, key=lambda row: abs(row[1]))[0] if rows else ("other", "")
        moved[key] = moved.get(key, ZERO) + (off if key[0] in ("by_certificate", "by_credit") else -off)
    return moved


def _of_store(kept: Kept, currency: str, side: _Side) -> dict[Key, Decimal]:
    """The store's rows under the keys of the plan's: taxes by their code, discounts within goods where the plan has
    them there, and rounded as a document is."""
    found: dict[Key, Decimal] = {}
    net = bool(side.plan) and not side.has_discounts
    for kind, name, amount in kept.sums:
        key: Key = ("other", "") if kind == "rest" else (kind, name)
        if kind == "tax":
            text, _, rate = name.partition("|")
            key = ("tax", kept.codes.get((text, Decimal(rate)), name))
        elif kind == "discounts" and net:
            key = ("goods", "")
        found[key] = found.get(key, ZERO) + amount
    rest = found.pop(("other", ""), ZERO)
    if rest:
        key = ("rounding", "") if ("rounding", "") in side.plan else ("other", "")
        found[key] = rest
    return {key: round_half_up(amount, currency) for key, amount in found.items()}


def _row(key: Key, store: Decimal | None, side: _Side, currency: str, kept: Kept | None) -> Row | None:
    plan, erp, words = side.plan.get(key), side.erp.get(key), ""
    if key in side.unknown:
        erp, words = None, "?"
    elif key in side.missing or erp is None:
        erp, words = None, "not posted"
        if plan is None:
            inside = side.has_money and key[0] == "capture"
            words = "in the order’s entry" if inside else "reversed" if side.reversed else words
    wanted = store if store is not None else plan if kept is None or key[0] in _OURS_ALONE else ZERO
    off = erp - wanted if erp is not None and wanted is not None else None
    if off and key[0] not in _EXACT and abs(off) <= minor_unit(currency):
        off = ZERO  # fractions of a cent are handed out among the lines; the total has them all
    if not store and not plan and not erp and key[0] != "total":
        return None
    return Row(_label(key, kept), store, plan, erp, words, off, key[0] == "total")


def _label(key: Key, kept: Kept | None) -> str:
    kind, name = key
    if kind == "tax":
        names = [text for text, code in (kept.codes.items() if kept else ()) if code == name]
        said = {f"{text[0]} {text[1].normalize():f} %" for text in names if kept and _charged(kept, text)}
        if said:
            return f"Tax: {', '.join(sorted(said))} ({name})"
        return f"Tax: {name.replace('|', ' ')}{' %' if '|' in name else ''}"
    if kind in ("capture", "refund", "paid_back"):
        return f"{ {'capture': 'Payment', 'refund': 'Refund', 'paid_back': 'Money paid back'}[kind] } {name}"
    return _TITLES[kind]


def _charged(kept: Kept, tax: tuple[str, Decimal]) -> bool:
    return any(kind == "tax" and name == f"{tax[0]}|{tax[1].normalize():f}" for kind, name, _ in kept.sums)
