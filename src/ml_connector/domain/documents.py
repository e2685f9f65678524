"""What must exist in a ledger: documents, their lines, and the plans that name them.

A document has one name, its reference, known before it is sent and findable in the target afterwards. The content
that counts (amounts, accounts, parties) has a fingerprint; dates and texts do not count, or a closing period would
look like an edit.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from ml_connector.domain.money import ZERO
from ml_connector.domain.orders import Address
from ml_connector.domain.shipments import Shipment


class Role(StrEnum):
    """Account roles; the mapping turns each into a GL account."""

    RECEIVABLE = "receivable"
    CLEARING = "clearing"
    CUSTOMER_DEPOSIT = "customer_deposit"
    REVENUE = "revenue"
    DISCOUNT_PROMOTION = "discount_promotion"
    DISCOUNT_COUPON = "discount_coupon"
    DISCOUNT_MANUAL = "discount_manual"
    SHIPPING_INCOME = "shipping_income"
    HANDLING_INCOME = "handling_income"
    WRAPPING_INCOME = "wrapping_income"
    FEE_INCOME = "fee_income"
    TAX_PAYABLE = "tax_payable"
    GIFT_CERTIFICATE_LIABILITY = "gift_certificate_liability"
    STORE_CREDIT_LIABILITY = "store_credit_liability"
    SALES_RETURNS = "sales_returns"
    REFUND_ADJUSTMENT = "refund_adjustment"
    RESTOCKING_FEE = "restocking_fee"
    ROUNDING = "rounding"


class Kind(StrEnum):
    """Kinds of documents. A reversal of an itemised one is its cancellation, whatever document the ERP makes for it."""

    CUSTOMER = "customer"
    ORDER = "order"
    PAYMENT = "payment"
    DEPOSIT_APPLICATION = "deposit_application"
    REFUND = "refund"
    REFUND_PAYMENT = "refund_payment"
    ADJUSTMENT = "adjustment"
    REVERSAL = "reversal"
    SALES_ORDER = "sales_order"
    SALES_INVOICE = "sales_invoice"
    DELIVERY = "delivery"
    CREDIT_MEMO = "credit_memo"
    DEPOSIT = "deposit"
    SHIPMENT = "shipment"


ITEMISED = frozenset({Kind.SALES_ORDER, Kind.SALES_INVOICE, Kind.DELIVERY, Kind.CREDIT_MEMO})
"""Sales-style documents with item lines: the ERP makes the entry from them, and the receivable is implied."""

IN_PLACE = frozenset({Kind.CUSTOMER, Kind.SHIPMENT})
"""Changed where they stand: a later generation is an update of the first, no document of its own."""


class Side(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"

    @property
    def other(self) -> "Side":
        return Side.CREDIT if self is Side.DEBIT else Side.DEBIT


@dataclass(frozen=True, slots=True)
class Dimension:
    profit_center: str = ""
    cost_center: str = ""
    segment: str = ""


@dataclass(frozen=True, slots=True)
class LinePart:
    """What one part of the source put into a line: `key` as in `line/501`, `amount` with the sign of `Line.signed`.

    Refunds turn back what was posted part by part, so that the last one closes to the minor unit.
    """

    key: str
    amount: Decimal


class LineType(StrEnum):
    """What a line of an itemised document is to the ERP; `charge` is a line on an account, without an item."""

    ITEM = "item"
    FREIGHT = "freight"
    CHARGE = "charge"
    TAX = "tax"
    ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class Itemised:
    """What a line of an itemised document says beside its amount, which is price x quantity rounded, minus discount.

    `item` is the ERP's item code. `unit_price`: as the store has it, without tax, before discounts. `predicted`: the
    ERP computes this line itself, it is foreseen and not sent. `ship_to`: if the document goes elsewhere.
    """

    type: LineType
    item: str = ""
    quantity: Decimal = ZERO
    unit_price: Decimal = ZERO
    discount_amount: Decimal = ZERO
    warehouse: str = ""
    predicted: bool = False
    ship_to: Address | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One posting line. `amount` is in whole minor units and not negative; `side` gives the direction.

    `tax_code`: several codes of one part are joined by `+` in the order of the store's tax rows (`CS+CC+CM`).
    """

    role: Role
    account: str
    side: Side
    amount: Decimal
    text: str = ""
    tax_code: str = ""
    dimension: Dimension = Dimension()
    assignment: str = ""
    why: str = ""
    parts: tuple[LinePart, ...] = ()
    itemised: Itemised | None = None

    @property
    def signed(self) -> Decimal:
        """Debit positive, credit negative."""
        return self.amount if self.side is Side.DEBIT else -self.amount

    def mirrored(self, why: str) -> "Line":
        return replace(self, side=self.side.other, why=why, parts=())


@dataclass(frozen=True, slots=True)
class Party:
    """The customer master that a `customer` document asks for, or the name of a one-time customer on a document."""

    key: str  # store customer ID, or the hash of a guest's e-mail
    address: Address
    is_company: bool = False
    one_time: bool = False
    vat_number: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Tender:
    """How the money of a payment moved, as the store tells it: what an ERP's payment names beside the account.

    `method`: e.g. credit_card; `gateway`: e.g. braintree; `transaction`: the gateway's own ID, empty where it is not
    known. No content that counts.
    """

    method: str = ""
    gateway: str = ""
    transaction: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that must exist exactly once in the target, under (`reference`, which carries the generation).

    `customer` is the ERP account of the debtor. `applies_to` names the document (or ERP invoice) that a payment
    pays; `reverses` the reference that a reversal undoes; `adjusts` the one that an adjustment corrects; `draws` the
    payment on account that an application settles it with, beside sales documents; `updates` the one that this takes
    the place of, in the same document of the target, which gets the name of this one with the new content.
    `source_digest` is the digest of the source facts that this document was planned from.
    """

    kind: Kind
    reference: str
    generation: int
    posting_date: date
    document_date: date
    currency: str
    customer: str
    text: str
    lines: tuple[Line, ...]
    applies_to: str = ""
    reverses: str = ""
    adjusts: str = ""
    draws: str = ""
    updates: str = ""
    tender: Tender | None = None  # payments, deposits and money that goes back
    exchange_rate: Decimal | None = None
    party: Party | None = None
    long_reference: str = ""
    source_digest: str = ""
    customer_reference: str = ""  # the buyer's own number, e.g. a purchase order
    ship_to: Address | None = None  # itemised documents; a journal knows no address
    shipment: Shipment | None = None  # what a `shipment` is of
    already: bool = False  # posted by an earlier run: nothing is left to do

    @property
    def balance(self) -> Decimal:
        """Debit minus credit: zero in every journal document."""
        return sum((line.signed for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        """What an itemised document comes to, tax included: the receivable, or the credit, that it makes.

        Of a reversal: what the reversed document came to.
        """
        if self.kind is Kind.REVERSAL:
            return abs(self.balance)
        return self.balance if self.kind is Kind.CREDIT_MEMO else -self.balance

    @property
    def names(self) -> tuple[str, ...]:
        """References of the documents that this one reverses, applies to, adjusts, draws on or updates."""
        return tuple(filter(None, (self.reverses, self.applies_to, self.adjusts, self.draws, self.updates)))

    @property
    def is_update(self) -> bool:
        """It changes in place what its first generation made."""
        return self.generation > 1 and self.kind in IN_PLACE

    @property
    def home(self) -> str:
        """Who holds it, in words: shipments stand in the store, everything else in the ERP."""
        return "store" if self.kind is Kind.SHIPMENT else "ERP"

    @property
    def base_reference(self) -> str:
        """The reference without its generation: what the rows of all generations share."""
        suffix = f"-{self.generation}"
        if self.generation > 1 and self.reference.endswith(suffix):
            return self.reference[: -len(suffix)]
        return self.reference

    @property
    def fingerprint(self) -> str:
        """Digest of the content that counts: kind, currency, parties; per line account, side, amount, tax, dimension.

        Equal for two documents that differ in dates, texts or the order of lines only.
        """
        party = self.party
        facts: dict[str, Any] = {
            "kind": self.kind.value,
            "currency": self.currency,
            "customer": self.customer,
            "reverses": self.reverses,
            "lines": sorted(_line_facts(line) for line in self.lines),
        }
        if self.kind is Kind.CUSTOMER and party is not None:
            facts["party"] = [party.key, party.is_company, party.vat_number]
        if self.shipment is not None:
            facts["shipment"] = self.shipment.facts(with_tracking=self.is_update)
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _line_facts(line: Line) -> list[str]:
    dimension = line.dimension
    facts = [
        line.role.value,
        line.account,
        line.side.value,
        format(line.amount, "f"),
        line.tax_code,
        dimension.profit_center,
        dimension.cost_center,
        dimension.segment,
    ]
    if line.itemised is not None:
        sold = line.itemised
        numbers = (sold.quantity, sold.unit_price, sold.discount_amount)
        facts += [sold.type.value, sold.item, *(format(number.normalize(), "f") for number in numbers), sold.warehouse]
    return facts


@dataclass(frozen=True, slots=True)
class PostedDocument:
    """What we know of a document that an earlier run posted and that was not reversed."""

    document: Document
    number: str = ""
    settled_as: str = ""  # posting.settlement under which the order was posted
    adopted: bool = False  # found in the target, never sent by us: not amended or reversed by itself


class HoldCode(StrEnum):
    """Why a plan cannot be made now; a person or an event releases it."""

    AWAITING_CAPTURE = "awaiting_capture"
    STATUS_HELD = "status_held"
    UNMAPPED = "unmapped"
    TOTALS_MISMATCH = "totals_mismatch"
    TAX_MISMATCH = "tax_mismatch"
    TAX_OVERRIDDEN = "tax_overridden"
    ERP_TAX_DIFFERENCE = "erp_tax_difference"
    CURRENCY_MISMATCH = "currency_mismatch"
    VOUCHER_TAXED = "voucher_taxed"
    SINGLE_PURPOSE_REDEEMED = "single_purpose_redeemed"
    CLOSED_PERIOD = "closed_period"
    AMENDED_AFTER_POSTING = "amended_after_posting"
    AMENDED_AFTER_INVOICING = "amended_after_invoicing"
    CANCELLED_AFTER_POSTING = "cancelled_after_posting"
    CANCELLED_PARTLY_REFUNDED = "cancelled_partly_refunded"
    CANCELLED_WITH_MONEY = "cancelled_with_money"
    REFUND_MISMATCH = "refund_mismatch"
    REFUND_PARTLY_DECLINED = "refund_partly_declined"
    REFUND_EXCEEDS_CAPTURE = "refund_exceeds_capture"
    REFERENCE_OVERFLOW = "reference_overflow"
    UNSUPPORTED_DOCUMENT = "unsupported_document"
    REVERSED_IN_ERP = "reversed_in_erp"
    ARCHIVED = "archived"
    B2B_UNKNOWN = "b2b_unknown"
    MULTI_SHIP = "multi_ship"
    AWAITING_TRACKING = "awaiting_tracking"
    DELIVERY_CHANGED = "delivery_changed"
    DELIVERY_UNCLEAR = "delivery_unclear"
    ORDER_CLOSED = "order_closed"
    SHIPMENT_EXCEEDS = "shipment_exceeds"


class ExcludedCode(StrEnum):
    """Why nothing has to exist for an order, until the order changes."""

    INCOMPLETE = "incomplete"
    DECLINED = "declined"
    CANCELLED_BEFORE_POSTING = "cancelled_before_posting"
    BEFORE_CUT_OVER = "before_cut_over"
    ZERO_TOTAL = "zero_total"
    DELIVERY_CANCELLED = "delivery_cancelled"
    NOT_OURS = "not_ours"
    NOTHING_TO_SHIP = "nothing_to_ship"
    BY_PERSON = "by_person"


@dataclass(frozen=True, slots=True)
class Note:
    """A part of the source that a plan leaves out on purpose, with its reason."""

    code: str  # e.g. refund_declined
    about: str  # e.g. "refund 38"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Documents:
    """Everything that must exist for the record, in the order of posting."""

    documents: tuple[Document, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """`key` names the condition (for `unmapped`: `<kind>|<key>`); `facts` are the figures a person must see.

    `missing` lists every unmapped (kind, key) that was found, so that one look fixes all.
    """

    code: HoldCode
    message: str
    key: str = ""
    facts: Mapping[str, str] | None = None
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Excluded:
    code: ExcludedCode
    message: str


Plan = Documents | Held | Excluded


def plan_digest(plan: Plan) -> str:
    """Equal for two plans that would make the same documents exist: references, contents, posting dates; or the same
    hold or exclusion. What a person approves, and what is compared before it is applied."""
    if isinstance(plan, Documents):
        facts = [[d.reference, d.fingerprint, d.posting_date.isoformat()] for d in plan.documents]
    else:
        facts = [[plan.code.value, plan.key if isinstance(plan, Held) else ""]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def balance_by_currency(documents: Sequence[Document]) -> dict[str, Decimal]:
    """Debit minus credit per currency; all zeros for journal documents."""
    sums: dict[str, Decimal] = {}
    for document in documents:
        sums[document.currency] = sums.get(document.currency, ZERO) + document.balance
    return sums
