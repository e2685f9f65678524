"""What holds, flows and documents are called before a person: plain sentences, the ERP's and the store's own words.

Every reason says what it waits for and who ends it; the long form is in `docs/operations.md`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import quote, urlencode

FLOWS: Final[Mapping[str, tuple[str, str]]] = {
    "orders": ("Orders", "to the ERP"),
    "customers": ("Customers", "to the ERP"),
    "write_back": ("Notes", "to the store"),
    "products": ("Products", "to the store"),
    "prices": ("Prices", "to the store"),
    "stock": ("Stock", "to the store"),
    "shipments": ("Shipments", "to the store"),
    "invoices": ("Invoices", "to the store"),
    "credit": ("Credit", "to the store"),
}
"""Flow -> its name and direction."""

THINGS: Final[Mapping[str, str]] = {
    "orders": "order", "customers": "customer", "stock": "SKU", "shipments": "shipment", "products": "product",
    "prices": "price", "invoices": "invoice", "credit": "credit", "write_back": "note of order",
}  # fmt: skip

DOCUMENTS: Final[Mapping[str, str]] = {
    "order": "Journal entry", "payment": "Payment", "deposit_application": "Deposit applied", "refund": "Refund",
    "refund_payment": "Money paid back", "adjustment": "Adjustment", "customer": "Customer", "reversal": "Reversal", "sales_order": "Sales order", "sales_invoice": "Sales invoice",
    "delivery": "Delivery", "credit_memo": "Credit memo", "deposit": "Deposit", "shipment": "Shipment",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """A hold's kind. `title`: takes what is missing, the ERP's name. `todo`: who does what. `verb`: of the button that
    leads there. `by_itself`: it ends when the source changes, and nobody needs to do anything in the console."""

    title: Callable[[str, str], str]
    todo: str
    verb: str = "Decide"
    short: str = ""


def _said(text: str) -> Callable[[str, str], str]:
    return lambda key, erp: text.format(key=key, erp=erp)


_UNMAPPED: Final[Mapping[str, tuple[str, str]]] = {
    "payment_method": ("Payment method “{name}” has no account in {erp}", "Choose account"),
    "account": ("No account for {name} in {erp}", "Choose account"),
    "tax": ("Tax “{name}” has no tax code in {erp}", "Choose tax code"),
    "tax_account": ("Tax code “{name}” has no account in {erp}", "Choose account"),
    "fee_tax": ("Fees with tax class “{name}” have no tax code in {erp}", "Choose tax code"),
    "customer": ("Customer “{name}” has no account in {erp}", "Choose customer"),
    "company": ("Company “{name}” is no customer in {erp}", "Choose customer"),
    "tax_group": ("The taxes “{name}” together have no tax code in {erp}", "Choose tax code"),
    "revenue": ("Revenue of “{name}” has no account in {erp}", "Choose account"),
    "item": ("SKU {name} is not an item in {erp}", "Choose item"),
    "warehouse": ("Warehouse {name} has no location in the store", "Choose location"),
}


def _unmapped(key: str, erp: str) -> str:
    kind, _, name = key.partition("|")
    title, _ = _UNMAPPED.get(kind, ("The mapping has no entry for {name} in {erp}", ""))
    return title.format(name=name.replace("|", ", ") or "(empty)", erp=erp)


def _closed(key: str, erp: str) -> str:
    """The key is the day, or the document that was refused."""
    try:
        day = date.fromisoformat(key)
    except ValueError:
        return f"A posting day is closed in {erp}"
    return f"{day:%B} {day.day}, {day.year} is closed in {erp}"


_MASTER: Final[Mapping[str, str]] = {
    "gl_account": "G/L account", "profit_center": "profit centre", "cost_center": "cost centre",
    "company_code": "company code", "customer": "customer", "item": "item", "currency": "currency",
}  # fmt: skip


def _master(key: str, erp: str) -> str:
    kind, _, name = key.partition("|")
    what = f"{_MASTER.get(kind, kind.replace('_', ' '))} {name}".strip() or "something"
    return f"{erp} does not have {what}, or it is blocked"


REASONS: Final[Mapping[str, Reason]] = {
    "unmapped": Reason(_unmapped, "Choose it below. The orders go as soon as you save.", "Choose", "Not mapped"),
    "awaiting_capture": Reason(
        _said("The money is not captured yet"), "Capture or cancel in the store; it goes by itself.", "Look", "No capture"
    ),
    "status_held": Reason(
        _said("The order waits for a decision in the store"), "Decide in the store; it goes by itself.", "Look", "Status"
    ),
    "totals_mismatch": Reason(
        _said("The order’s total is not the sum of its parts"),
        "Look for a change by hand, and mend it in the store. Raise the tolerance only for cents of rounding.",
        short="Total off",
    ),
    "tax_mismatch": Reason(
        _said("The tax rows do not add up to the order’s tax"),
        "Often a tax app that wrote its rows late. Look at the order in the store.", short="Tax off",
    ),
    "tax_overridden": Reason(
        _said("Somebody overwrote the order’s totals"), "Correct the order in the store, or book it by hand.",
        short="Tax overridden",
    ),
    "currency_mismatch": Reason(
        _said("A payment is in another currency than its order"), "Ask the payment provider; book the payment by hand.",
        short="Currency",
    ),
    "voucher_taxed": Reason(
        _said("A gift certificate was sold with tax"), "Correct the tax class of certificates, or the policy.",
        short="Voucher",
    ),
    "single_purpose_redeemed": Reason(
        _said("A single-purpose voucher was redeemed"), "Its revenue was booked at the sale. Book the redemption by hand.",
        short="Voucher",
    ),
    "refund_mismatch": Reason(
        _said("A refund is not the sum of its parts"), "Look at the refund in the store and at the provider.",
        short="Refund off",
    ),
    "refund_partly_declined": Reason(
        _said("Some payments of a refund were declined"), "Finish the refund in the store, or book what was paid.",
        short="Refund declined",
    ),
    "refund_exceeds_capture": Reason(
        _said("More was given back than was paid"), "Ask who refunded; book it by hand.", short="Refund too high"
    ),
    "cancelled_after_posting": Reason(
        _said("Cancelled after it was booked"), "Policy asks before it reverses. Reverse by hand, or set the policy.",
        short="Cancelled",
    ),
    "cancelled_partly_refunded": Reason(
        _said("Cancelled, and only a part was given back"), "Refund the rest in the store, or take the cancellation back.",
        short="Cancelled",
    ),
    "cancelled_with_money": Reason(
        _said("Cancelled with captured money"), "Refund it in the store; it goes by itself.", short="Cancelled"
    ),
    "amended_after_posting": Reason(
        _said("The store changed the order after it was booked"),
        "Compare the two; then have it reversed and posted anew, or keep what is booked.", "Compare", "Changed",
    ),
    "amended_after_invoicing": Reason(
        _said("The store changed the order after it was invoiced"),
        "Credit the document in {erp} and invoice what is right, or take the edit back.", "Compare", "Changed",
    ),
    "erp_tax_difference": Reason(
        _said("{erp} would compute another tax"), "Mend the tax code or the exemption; do not raise the tolerance.",
        short="ERP tax",
    ),
    "archived": Reason(_said("Archived in the store without being cancelled"), "Restore it, or cancel it.", short="Archived"),
    "b2b_unknown": Reason(
        _said("Company and terms could not be read"), "Book it by hand, or say that no company buys on account.",
        short="B2B unknown",
    ),
    "master_data": Reason(
        _master,
        "Create or open it in {erp} and release, or map another one.", "Release", "Master data",
    ),
    "closed_period": Reason(
        _closed,
        "Ask whoever closes the books to open it again, then release; or let policy move it to the first open day.",
        "Decide", "Closed period",
    ),
    "multi_ship": Reason(
        _said("Goods of one order go to several addresses"), "Split the order in the store, or enter it by hand.",
        short="Several addresses",
    ),
    "awaiting_tracking": Reason(
        _said("The delivery has no tracking number yet"), "Enter it in {erp}; it goes by itself.", "Look", "No tracking"
    ),
    "delivery_changed": Reason(
        _said("A delivery changed after the shopper was told of it"),
        "Change or delete the shipment in the store, or take the change back in {erp}.", "Look", "Delivery changed",
    ),
    "delivery_unclear": Reason(
        _said("A line of a delivery cannot be told"),
        "Correct the delivery in {erp}, or make the shipment by hand in the store.", "Look", "Delivery unclear",
    ),
    "order_closed": Reason(
        _said("The order of a delivery is closed in the store"),
        "Stop the parcel, or make the order open again; then release.", "Look", "Order closed",
    ),
    "shipment_exceeds": Reason(
        _said("More is delivered than the order has left to ship"),
        "Look whether somebody shipped or refunded it in the store; mend it there, then release.", "Look", "Too much shipped",
    ),
    "stale_stock": Reason(
        _said("{erp} has not told this stock for too long"), "Look whether the figures are right again, then release.",
        "Release", "Stale stock",
    ),
    "rejected": Reason(_said("{erp} refused it"), "Do what it says, then release. Nothing was booked.", "Read", "Refused"),
    "unsupported_document": Reason(
        _said("{erp} cannot take a document that this needs"), "Make the choice that the message names.", "Read",
        "Unsupported",
    ),
    "reference_overflow": Reason(_said("No reference can be made"), "Book it by hand, and tell us.", short="Reference"),
    "plan_changed": Reason(
        _said("It would be booked otherwise than it was approved"), "Look at the plan again, then apply or replay it.",
        "Look again", "Plan changed",
    ),
    "connection": Reason(
        _said("{erp} does not let us in"), "Renew the secret or the right in Connections; it goes by itself then.",
        "Open connection", "No access",
    ),
    "posting_held": Reason(
        _said("{key} in {erp} is not what was sent"), "Look at it in {erp}, then say what is true of it. Nothing is sent until then.",
        "Decide", "Touched in the ERP",
    ),
    "reversed_in_erp": Reason(
        _said("Somebody reversed {key} in {erp}"), "If it is to be posted again, say that it is gone; else leave it held.",
        "Decide", "Reversed in the ERP",
    ),
}  # fmt: skip

_OTHER = Reason(_said("Held: {key}"), "Read the message, then release.", "Read", "Held")


def reason(kind: str) -> Reason:
    """What is known of a hold's kind; a kind that nobody wrote words for is shown as it is."""
    return REASONS.get(kind, _OTHER)


def title(kind: str, key: str, erp: str) -> str:
    """A sentence without its full stop: `Payment method “Later&Co” has no account in Business Central`."""
    known = REASONS.get(kind)
    if known is None:
        return f"{kind.replace('_', ' ').capitalize()}{f': {key}' if key else ''}"
    return known.title(key, erp)


def todo(kind: str, erp: str) -> str:
    return reason(kind).todo.format(erp=erp)


def verb(kind: str, key: str) -> str:
    """The word on the button that leads to the fix."""
    if kind == "unmapped":
        return _UNMAPPED.get(key.partition("|")[0], ("", "Map it"))[1]
    return reason(kind).verb


def flow_name(flow: str) -> str:
    return FLOWS.get(flow, (flow.replace("_", " ").capitalize(), ""))[0]


def direction(flow: str) -> str:
    return FLOWS.get(flow, ("", ""))[1]


def thing(flow: str, count: int = 1) -> str:
    """`order`, `14 orders` without the number: the word alone, in the number asked for."""
    word = THINGS.get(flow, flow)
    return word if count == 1 else ("SKUs" if word == "SKU" else f"{word}s")


def called(flow: str, title: str) -> str:
    """`Order 10338`, never the raw key before a person."""
    word = THINGS.get(flow, flow)
    return f"{word if word == 'SKU' else word.capitalize()} {title}"


def document(kind: str) -> str:
    return DOCUMENTS.get(kind, kind.replace("_", " ").capitalize())


def hold_href(integration: int, kind: str, key: str) -> str:
    """Where a group of held records is decided."""
    return "/holds?" + urlencode({"group": f"{integration}:{kind}:{key}"})


def record_href(integration: int, flow: str, key: str) -> str:
    """The page of one record."""
    return f"/records/{integration}/{flow}/{quote(key, safe='')}"
