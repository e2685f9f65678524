"""What differs between families of ERPs, as data: which documents an order, its money and its refunds become.

A ledger takes balanced entries. The others take itemised sales documents and make the entries themselves; there a new
ERP is a new row here, named as its system. Rules of when, which day and how much are the same for all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ml_connector.domain.documents import ITEMISED, Kind, LineType
from ml_connector.domain.policy import Policy

LETTERS: Mapping[Kind, str] = {
    Kind.ORDER: "O",
    Kind.SALES_ORDER: "O",
    Kind.SALES_INVOICE: "I",
    Kind.DELIVERY: "L",
}
"""Letter in the reference of what an order becomes."""


@dataclass(frozen=True, slots=True)
class Family:
    """`documents`: policy `sales.document` to what an order becomes. `deposits`: of which of them the money before the
    invoice is a deposit that the ERP applies when it invoices; of the others it is a payment of the document.
    `applied`: of which of them money that came before delivery is settled with the document from here; of the others
    the ERP does it, or whoever matches open items there. `tax`: whether the ERP takes the store's tax or computes its
    own. `certificate`: line type of a certificate sold. `places`: whether lines have room for the words of an address
    that is not the document's. `updated`: which of them are changed in place while they are open in the ERP.
    """

    documents: Mapping[str, Kind]
    credit: Kind
    deposits: frozenset[Kind] = frozenset()
    applied: frozenset[Kind] = frozenset()
    tax: Literal["store", "erp"] = "store"
    certificate: LineType = LineType.CHARGE
    places: bool = True
    updated: frozenset[Kind] = frozenset()


def _always(kind: Kind) -> Mapping[str, Kind]:
    return dict.fromkeys(("invoice", "order", "delivery"), kind)


_CHOICE = {"invoice": Kind.SALES_INVOICE, "order": Kind.SALES_ORDER, "delivery": Kind.DELIVERY}
_BEFORE_INVOICE = frozenset({Kind.SALES_ORDER, Kind.DELIVERY})

LEDGER = Family(documents=_always(Kind.ORDER), credit=Kind.REFUND)
ANY_SALES = Family(documents=_CHOICE, credit=Kind.CREDIT_MEMO, deposits=_BEFORE_INVOICE, places=False)
FAMILIES: Mapping[str, Family] = {
    "acumatica": Family(
        documents=_always(Kind.SALES_ORDER), credit=Kind.CREDIT_MEMO, deposits=_BEFORE_INVOICE, tax="store"
    ),
    "business_central": Family(documents=_always(Kind.SALES_ORDER), credit=Kind.CREDIT_MEMO, tax="erp"),
    "business_one": Family(
        documents=_CHOICE,
        credit=Kind.CREDIT_MEMO,
        deposits=_BEFORE_INVOICE,
        applied=frozenset({Kind.SALES_INVOICE}),
        updated=frozenset({Kind.SALES_ORDER}),
        tax="erp",
    ),
    "netsuite": Family(
        documents=_always(Kind.SALES_ORDER),
        credit=Kind.CREDIT_MEMO,
        deposits=_BEFORE_INVOICE,
        tax="store",
        certificate=LineType.ITEM,
    ),
}


@dataclass(frozen=True, slots=True)
class Form:
    """How one order is booked: the family's row with the policy's choices made.

    `order`: what it becomes, with its `letter`. `deposits`: its money is a deposit that the ERP applies. `applies`:
    we settle it with the money that came before. `updates`: it is changed in place. `places`: as the family's.
    """

    order: Kind
    credit: Kind
    deposits: bool
    predicts_tax: bool
    certificate: LineType
    places: bool = True
    applies: bool = False
    updates: bool = False

    @property
    def letter(self) -> str:
        return LETTERS[self.order]

    @property
    def itemised(self) -> bool:
        return self.order in ITEMISED


def form_of(style: str, family: str, policy: Policy, standing: Kind | None) -> Form:
    """`standing`: what the order has become already, if it is in the books; a changed policy does not move it.

    A system of sales style without a row of its own is as `ANY_SALES`.
    """
    row = LEDGER if style == "journal" else FAMILIES.get(family, ANY_SALES)
    kind = row.documents[policy.sales_document]
    if standing is not None and standing in row.documents.values():
        kind = standing
    tax = row.tax if policy.sales_tax == "family" else policy.sales_tax
    return Form(
        order=kind,
        credit=row.credit,
        deposits=kind in row.deposits,
        predicts_tax=kind in ITEMISED and tax == "erp",
        certificate=row.certificate,
        places=row.places,
        applies=kind in row.applied,
        updates=kind in row.updated,
    )


def effective(policy: Policy, form: Form) -> Policy:
    """The policy with what a sales document leaves no choice of: each line is net of its discounts, and it is posted
    also where nothing is to be paid, because goods move."""
    if not form.itemised:
        return policy
    return replace(policy, discounts_presentation="net", posting_zero_total="post")


def asked_kinds(style: str, family: str, policy: Policy) -> Mapping[Kind, str]:
    """The kinds of documents that an order may become under `policy`, each with the policy key that asks for it; empty
    where no choice avoids it. Other kinds come of special cases alone."""
    form = form_of(style, family, policy, None)
    early = policy.posting_trigger in ("shipment", "completion")
    asked = {form.order: "sales.document" if form.itemised else "", form.credit: "", Kind.REFUND_PAYMENT: ""}
    if not form.itemised:
        asked |= {Kind.PAYMENT: ""} | ({Kind.DEPOSIT_APPLICATION: "posting.trigger"} if early else {})
    elif form.deposits or early:
        asked |= {Kind.DEPOSIT: "sales.document" if form.deposits else "posting.trigger"}
        if form.applies and policy.sales_deposits == "apply":
            asked |= {Kind.DEPOSIT_APPLICATION: "sales.deposits"}
    else:
        asked |= {Kind.PAYMENT: ""}
    if policy.cancel_after_posting == "reverse":
        asked |= {Kind.REVERSAL: "cancel.after_posting"}
    if policy.amendment != "hold":
        asked |= {Kind.REVERSAL if policy.amendment == "reverse_repost" else Kind.ADJUSTMENT: "amendment"}
    if policy.customers_registered == "individual":
        asked |= {Kind.CUSTOMER: "customers.registered"}
    return asked
