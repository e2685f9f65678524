"""Entity sets, object types, user fields and lengths of texts. Held against the vendor's metadata by a contract test.

Sources: Service Layer metadata; SDK help, object properties; `docs/protocol/business-one.md`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ml_connector.domain.documents import Document, Kind


@dataclass(frozen=True, slots=True)
class Target:
    """Where a kind of document lives. `type`: the object type number of base references; `draft`: the document type of
    a draft; `table`: the database table that carries the user fields."""

    set: str
    type: int
    draft: str
    table: str
    payment: bool = False

    @property
    def remark(self) -> str:
        """The field that people write remarks into, also after posting."""
        return "Remarks" if self.payment else "Comments"


INVOICES = Target("Invoices", 13, "oInvoices", "OINV")
CREDIT_NOTES = Target("CreditNotes", 14, "oCreditNotes", "OINV")
DELIVERIES = Target("DeliveryNotes", 15, "oDeliveryNotes", "OINV")
ORDERS = Target("Orders", 17, "oOrders", "OINV")
RECEIPTS = Target("IncomingPayments", 24, "bopot_IncomingPayments", "ORCT", payment=True)
PAYOUTS = Target("VendorPayments", 46, "bopot_OutgoingPayments", "OVPM", payment=True)

TARGETS: Mapping[Kind, Target] = {
    Kind.SALES_INVOICE: INVOICES,
    Kind.CREDIT_MEMO: CREDIT_NOTES,
    Kind.DELIVERY: DELIVERIES,
    Kind.SALES_ORDER: ORDERS,
    Kind.PAYMENT: RECEIPTS,
    Kind.DEPOSIT: RECEIPTS,
    Kind.REFUND_PAYMENT: PAYOUTS,
}
ALL = (INVOICES, CREDIT_NOTES, DELIVERIES, ORDERS, RECEIPTS, PAYOUTS)
BY_SET: Mapping[str, Target] = {target.set: target for target in ALL}
COUNTERED = frozenset({INVOICES, CREDIT_NOTES, DELIVERIES})
"""Cancelled by a document of its own; the others are marked as cancelled."""

REFERENCE = "U_MLC_REF"
EXTERNAL_ID = "U_MLC_EXTID"
CLAIMS = "U_MLC_CLAIM"

DRAFTS = "Drafts"
PAYMENT_DRAFTS = "PaymentDrafts"

DOCUMENT_SELECT = (
    "DocEntry",
    "DocNum",
    "CardCode",
    "DocDate",
    "TaxDate",
    "DocCurrency",
    "DocTotal",
    "DocTotalFc",
    "VatSum",
    "VatSumFc",
    "RoundingDiffAmount",
    "RoundingDiffAmountFC",
    "DocumentStatus",
    "Cancelled",
    "CancelStatus",
    "Comments",
    REFERENCE,
    "DocumentLines",
    "DocumentAdditionalExpenses",
)
PAYMENT_SELECT = (
    "DocEntry",
    "DocNum",
    "CardCode",
    "DocDate",
    "TaxDate",
    "DocCurrency",
    "TransferAccount",
    "TransferSum",
    "Cancelled",
    "Remarks",
    REFERENCE,
    "PaymentInvoices",
)
DRAFT_SELECT = ("DocEntry", "DocNum", "DocObjectCode", "AuthorizationStatus", "CardCode", REFERENCE)

LENGTHS: Mapping[str, int] = {
    "NumAtCard": 100,
    "Comments": 254,
    "JournalMemo": 50,
    "ItemDescription": 100,
    "FreeText": 100,
    "CardCode": 15,
    "CardName": 100,
    "EmailAddress": 100,
    "Phone1": 20,
    "FederalTaxID": 32,
    "TransferReference": 27,
    "CounterReference": 8,
    "Remarks": 254,
    "JournalRemarks": 50,
    "AddressName": 50,
    "Street": 100,
    "BuildingFloorRoom": 100,
    "City": 100,
    "ZipCode": 20,
    "Country": 3,
    "ShipToStreet": 100,
    "ShipToBuilding": 100,
    "ShipToCity": 100,
    "ShipToZipCode": 20,
    REFERENCE: 50,
    EXTERNAL_ID: 50,
}


def cut(name: str, value: str) -> str:
    """`value` as long as the field takes it: what is longer is refused."""
    return value[: LENGTHS[name]]


@dataclass(frozen=True, slots=True)
class UserField:
    """A user field that we need: one on `OINV` is there on every marketing document, drafts included."""

    table: str
    name: str
    description: str
    size: int = 50

    @property
    def property(self) -> str:
        return f"U_{self.name}"


USER_FIELDS = (
    UserField("OINV", "MLC_REF", "Web store reference"),
    UserField("ORCT", "MLC_REF", "Web store reference"),
    UserField("OVPM", "MLC_REF", "Web store reference"),
    UserField("OCRD", "MLC_EXTID", "Web store customer"),
)
CLAIM_TABLE = "MLC_CLAIM"

_BY_LETTER: Mapping[str, Target] = {
    "I": INVOICES,
    "O": ORDERS,
    "R": CREDIT_NOTES,
    "M": PAYOUTS,
    "L": DELIVERIES,
    **dict.fromkeys("PSTG", RECEIPTS),
}


def targets_of(document: Document) -> tuple[Target, ...]:
    """Where `document` stands, or, for a reversal, what it undoes; all sets where the reference does not tell."""
    if document.kind in TARGETS:
        return (TARGETS[document.kind],)
    parts = document.reverses.split("-")
    letter = parts[3][:1] if document.reverses.startswith("BC-") and len(parts) > 3 else ""
    return (_BY_LETTER[letter],) if letter in _BY_LETTER else ALL


_MARK = re.compile(r"\[cancelled as ([A-Z0-9-]+)\]")


def marked(remark: str, reversal: str) -> str:
    """The remark of a document that we are about to cancel: a cancellation without it was made by hand."""
    mark = f"[cancelled as {reversal}]"
    return f"{remark[: LENGTHS['Remarks'] - len(mark) - 1]} {mark}".strip()


def mark_of(remark: str) -> str:
    """The name of our cancellation; empty where we have cancelled nothing."""
    match = _MARK.search(remark)
    return match.group(1) if match else ""


def reversal_of(reference: str) -> str:
    """The name of the reversal of a document: `BC-S1-7-I` is undone by `BC-S1-7-XI`, its generation kept."""
    parts = reference.split("-")
    place = 3 if reference.startswith("BC-") else 1
    if len(parts) <= place:
        return f"{reference}-X"
    parts[place] = f"X{parts[place]}"
    return "-".join(parts)
