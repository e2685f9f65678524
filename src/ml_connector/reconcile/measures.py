"""The figures of one document, read the same way from our own plan and from what the ERP holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal

from ml_connector.connectors.base import ROUNDING, StoredDocument, StoredLine
from ml_connector.domain.documents import ITEMISED, Document, Kind, Role
from ml_connector.domain.mapping import Mapping as Tables
from ml_connector.domain.money import ZERO, minor_unit, round_half_up

KIND_NAMES = {
    "O": "orders",
    "P": "captures",
    "S": "captures",
    "T": "store credit payments",
    "G": "certificate payments",
    "R": "refunds",
    "M": "refund payments",
    "D": "adjustments",
}
"""By the letter of a reference. Adjustments are counted with the order that they adjust; those of no order show up.
Deposit applications (A) move money between accounts of our own and belong to no kind; the accounts count them."""

PARTS = {"tax": "tax", "shipping": "shipping", "certificates": "gift certificates", "credit": "store credit"}
"""Figures that are parts of others, as kinds of their own."""

RECEIVABLES = "receivables"
TAX = "tax"

_BUYER_OWES = "OD"
_CUSTOMER_SIGN = {"P": -1, "S": -1, "T": -1, "G": -1, "R": -1, "M": 1}
"""Payments and credits stand on the buyer's credit side, money given back on the debit side."""
_DEPOSIT = Role.CUSTOMER_DEPOSIT
_LIABILITIES = (Role.GIFT_CERTIFICATE_LIABILITY, Role.STORE_CREDIT_LIABILITY)
_HAS_SHIPPING, _HAS_CERTIFICATES = "OD", "ODMTG"


@dataclass(frozen=True, slots=True)
class Measures:
    """`amount`: positive on the side where the document's kind belongs. `tax`: what it makes us owe, so negative in
    refunds. `certificates`, `credit`: by how much the debt to their holders grows. None: cannot be told apart."""

    amount: Decimal = ZERO
    tax: Decimal = ZERO
    shipping: Decimal | None = ZERO
    certificates: Decimal | None = ZERO
    credit: Decimal | None = ZERO

    def __add__(self, other: "Measures") -> "Measures":
        return Measures(*(_sum(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))  # type: ignore[arg-type]

    def rounded(self, currency: str) -> "Measures":
        values = (getattr(self, field.name) for field in fields(self))
        return Measures(*(None if value is None else round_half_up(value, currency) for value in values))  # type: ignore[arg-type]


def total(measures: Iterable[Measures]) -> Measures:
    return sum(measures, Measures())


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


# ------------------------------------------------------------------ accounts


@dataclass(frozen=True, slots=True)
class Accounts:
    """Which accounts carry a figure. None: an account that carries other things too, so that it tells nothing."""

    clearing: frozenset[str]
    liabilities: frozenset[str]
    certificates: str | None
    credit: str | None
    shipping: str | None


def accounts_of(tables: Tables) -> Accounts:
    """By the mapping as it is now."""
    used: dict[str, set[str]] = {}
    for role, account in tables.accounts.items():
        used.setdefault(_bare(account), set()).add(role)
    for what, rows in (("clearing", tables.payment_methods), ("revenue", tables.revenue_rules), ("tax", tables.taxes)):
        for row in rows:
            used.setdefault(_bare(row.account), set()).add(what)

    def own(role: Role) -> str | None:
        account = _bare(tables.accounts.get(role.value, ""))
        return account if not account or used[account] == {role.value} else None

    return Accounts(
        frozenset(_bare(method.account) for method in tables.payment_methods),
        frozenset(_bare(tables.accounts.get(role.value, "")) for role in _LIABILITIES) - {""},
        own(Role.GIFT_CERTIFICATE_LIABILITY),
        own(Role.STORE_CREDIT_LIABILITY),
        own(Role.SHIPPING_INCOME),
    )


def accounts_in(document: Document, usual: Accounts) -> Accounts:
    """As this document was posted: an older mapping may have had other accounts."""
    by_role: dict[Role, set[str]] = {}
    for line in document.lines:
        by_role.setdefault(line.role, set()).add(_bare(line.account))

    def own(role: Role, default: str | None) -> str | None:
        accounts = by_role.get(role)
        others = {account for other, found in by_role.items() if other is not role for account in found}
        if not accounts:
            return default if default is None or default not in others else None
        return next(iter(accounts)) if len(accounts) == 1 and not accounts & others else None

    return Accounts(
        usual.clearing | by_role.get(Role.CLEARING, set()),
        usual.liabilities.union(*(by_role.get(role, set()) for role in _LIABILITIES)),
        own(Role.GIFT_CERTIFICATE_LIABILITY, usual.certificates),
        own(Role.STORE_CREDIT_LIABILITY, usual.credit),
        own(Role.SHIPPING_INCOME, usual.shipping),
    )


# ------------------------------------------------------------------ figures


def as_stored(document: Document, tables: Tables) -> StoredDocument:
    """Our document as a read service would show it: tax lines by their code alone, the buyer's lines by customer, and
    of an itemised document the buyer's line that the ERP adds."""
    groups = {"+".join(group.codes): group.code for group in tables.tax_groups}
    joined = {line.tax_code for line in document.lines} & groups.keys()
    # The tax of a part with several codes has a line for each; the ERP shows them all under the group's own code.
    groups |= {code: groups[codes] for codes in sorted(joined) for code in codes.split("+")}
    buyer = document.customer or "?"
    # Beside sales documents money on account stands on the customer's own account.
    on_account = document.kind is Kind.DEPOSIT or bool(document.draws)
    lines = [
        StoredLine(
            account="" if line.role is Role.TAX_PAYABLE else line.account,
            amount=line.signed,
            tax_code=groups.get(line.tax_code, line.tax_code),
            customer=buyer if line.role is Role.RECEIVABLE or (on_account and line.role is _DEPOSIT) else "",
            item=ROUNDING if line.role is Role.ROUNDING else "",
        )
        for line in document.lines
    ]
    if document.kind in ITEMISED:
        lines.append(StoredLine(account="", amount=-document.balance, customer=buyer))
    return StoredDocument(
        document.reference, "", document.currency, document.posting_date, document.document_date, tuple(lines)
    )


def sums_by_account(document: StoredDocument) -> dict[str, Decimal]:
    """Debit minus credit per account without leading zeros, `receivables`, `tax CODE`, and `rounding` where it has no
    account; sums of zero are nothing."""
    sums: dict[str, Decimal] = {}
    for line in document.lines:
        if line.customer:
            name = RECEIVABLES
        elif line.account:
            name = _bare(line.account)
        elif line.item == ROUNDING:
            name = ROUNDING
        else:
            name = f"{TAX} {line.tax_code}".strip()
        sums[name] = sums.get(name, ZERO) + line.amount
    return {name: amount for name, amount in sums.items() if amount}


def measured(kind: str, document: StoredDocument, accounts: Accounts) -> Measures:
    """The figures of a document by its lines."""

    def grown(account: str | None, kinds: str) -> Decimal | None:
        if kind not in kinds:
            return ZERO
        if account is None:
            return None
        return -_on(document.lines, frozenset((account,)))

    tax = -sum((line.amount for line in document.lines if is_tax(line)), ZERO)
    return Measures(
        _amount(kind, document, accounts),
        tax,
        grown(accounts.shipping, _HAS_SHIPPING),
        grown(accounts.certificates, _HAS_CERTIFICATES),
        grown(accounts.credit, _HAS_CERTIFICATES),
    )


def measured_by_role(kind: str, document: Document) -> Measures:
    """The figures of our own document, whose lines say what they are for."""

    def grown(role: Role, kinds: str) -> Decimal:
        if kind not in kinds:
            return ZERO
        return -sum((line.signed for line in document.lines if line.role is role), ZERO)

    customer = [line.signed for line in document.lines if line.role is Role.RECEIVABLE]
    if document.kind in ITEMISED:
        customer.append(-document.balance)  # the ERP's own line
    money = sum((line.signed for line in document.lines if line.role is Role.CLEARING), ZERO)
    tenders = [line.signed for line in document.lines if line.role in _LIABILITIES]
    return Measures(
        _money(kind, sum(customer, ZERO), money, tenders),
        grown(Role.TAX_PAYABLE, "ORDPSMTG"),
        grown(Role.SHIPPING_INCOME, _HAS_SHIPPING),
        grown(Role.GIFT_CERTIFICATE_LIABILITY, _HAS_CERTIFICATES),
        grown(Role.STORE_CREDIT_LIABILITY, _HAS_CERTIFICATES),
    )


def is_tax(line: StoredLine) -> bool:
    """Read services give tax by its code, without an account."""
    return not line.account and not line.customer and line.item != ROUNDING


def is_rounding_of(exact: Decimal, booked: Decimal, currency: str) -> bool:
    """Whether `booked`, in whole minor units, is what becomes of `exact` when an order's cents are handed out."""
    return abs(exact - booked) < minor_unit(currency)


def _amount(kind: str, document: StoredDocument, accounts: Accounts) -> Decimal:
    """The money of a document, positive on the side where its kind belongs: the buyer's side, or without a buyer the
    clearing side. A document that was booked the wrong way round comes out negative."""
    customer = sum((line.amount for line in document.lines if line.customer), ZERO)
    money = _on(document.lines, accounts.clearing)
    tenders = [x.amount for x in document.lines if not x.customer and _bare(x.account) in accounts.liabilities]
    return _money(kind, customer, money, tenders)


def _money(kind: str, customer: Decimal, money: Decimal, tenders: Iterable[Decimal]) -> Decimal:
    if kind in _BUYER_OWES:
        return customer + money + sum((amount for amount in tenders if amount > 0), ZERO)
    if customer:
        return customer * _CUSTOMER_SIGN.get(kind, 1)
    return abs(money + sum(tenders, ZERO))


def _on(lines: Iterable[StoredLine], accounts: frozenset[str]) -> Decimal:
    return sum((x.amount for x in lines if not x.customer and x.account and _bare(x.account) in accounts), ZERO)


def _bare(account: str) -> str:
    return account.lstrip("0")


def by_kind(kind: str, measures: Measures) -> Mapping[str, Decimal]:
    """The figures under the names of the tie-out's kinds; those that cannot be told apart are left out."""
    found = {KIND_NAMES[kind]: measures.amount} if kind in KIND_NAMES else {}
    for name, title in PARTS.items():
        value: Decimal | None = getattr(measures, name)
        if value is not None:
            found[title] = value
    return found
