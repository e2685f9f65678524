"""The first mapping: which accounts and codes are asked for, what is likely by its name, and how answers are written.

What the store's youngest orders lack is asked for with it, so that one form settles what a dry run has found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from ml_connector.config.entry import SETTERS
from ml_connector.connectors.base import LedgerAccount
from ml_connector.desk import wording
from ml_connector.domain.documents import Role

Answers = Mapping[str, str]
Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing to fill in. `name`: of its blank. `what`: an account of the chart, free text, a choice, or several
    blanks for a tax. `value`, `suggested`: as stored, and as is likely; `orders`: how many of the youngest need it."""

    name: str
    title: str
    help: str = ""
    what: Literal["account", "text", "tick", "choice", "tax", "group"] = "text"
    value: str = ""
    suggested: str = ""
    orders: int = 0
    choices: Sequence[tuple[str, str]] = ()

    @property
    def id(self) -> str:
        """For the page: letters and digits alone."""
        return "".join(each if each.isalnum() else "-" for each in self.name)

    @property
    def shown(self) -> str:
        return self.value or self.suggested


@dataclass(frozen=True, slots=True)
class Questions:
    """`first`: every store needs them; `also`: some stores do; `found`: the youngest orders lack them."""

    first: Sequence[Asked] = ()
    also: Sequence[Asked] = ()
    found: Sequence[Asked] = ()
    elsewhere: Sequence[str] = field(default_factory=tuple[str, ...])
    """What is missing and has no blank here, in words."""


_ROLES: Final[Mapping[Role, tuple[str, str, tuple[str, ...]]]] = {
    Role.RECEIVABLE: ("Receivable", "What customers owe.", ("trade receivable", "accounts receivable", "receivable")),
    Role.REVENUE: ("Revenue", "Goods sold.", ("revenue domestic", "revenue", "sales")),
    Role.SHIPPING_INCOME: ("Shipping", "What customers pay for it.", ("shipping income", "freight income", "shipping")),
    Role.CUSTOMER_DEPOSIT: ("Customer deposits", "Money that comes before the order.", ("customer deposit", "deposit")),
    Role.ROUNDING: ("Rounding", "Cents that tax and rounding leave over.", ("rounding",)),
    Role.DISCOUNT_PROMOTION: ("Promotions", "Given by the store itself.", ("promotion discount", "discount")),
    Role.DISCOUNT_COUPON: ("Coupons", "Discounts by a code.", ("coupon discount", "discount")),
    Role.DISCOUNT_MANUAL: ("Manual discounts", "Given by hand.", ("manual discount", "discount")),
    Role.HANDLING_INCOME: ("Handling", "", ("handling income", "handling", "freight income")),
    Role.WRAPPING_INCOME: ("Gift wrapping", "", ("gift wrap", "wrapping", "freight income")),
    Role.FEE_INCOME: ("Fees", "Surcharges of an order.", ("fee income", "freight income")),
    Role.SALES_RETURNS: ("Sales returns", "Only where refunds are not taken off revenue.", ("sales return",)),
    Role.REFUND_ADJUSTMENT: ("Refund adjustments", "Refunds of an amount, without goods.", ("refund adjust",)),
    Role.RESTOCKING_FEE: ("Restocking fees", "Kept back from a refund.", ("restocking", "refund adjust")),
    Role.GIFT_CERTIFICATE_LIABILITY: ("Gift certificates", "Sold, not redeemed.", ("gift card liab", "gift cert liab")),
    Role.STORE_CREDIT_LIABILITY: ("Store credit", "Owed to customers.", ("store credit liab",)),
}
_FIRST: Final = (Role.RECEIVABLE, Role.REVENUE, Role.SHIPPING_INCOME, Role.CUSTOMER_DEPOSIT, Role.ROUNDING)

_PAYMENTS: Final = (
    ("credit_card", ("card clearing", "other clearing")),
    ("wallet", ("wallet clearing", "other clearing")),
    ("bank", ("bank main", "bank")),
    ("cash", ("cash", "bank")),
    ("", ("other clearing", "clearing")),
)
_WAYS: Final = (
    ("", "choose"),
    ("paid_by_status", "is paid when the store says so"),
    ("on_account", "is on account: book it, the money comes later"),
    ("wait", "waits until a payment is captured"),
)
_ROLE, _MISSING = "role:", "missing:"


def questions(
    mapping: Mapping[str, Any], style: str, chart: Sequence[LedgerAccount], missing: Sequence[tuple[str, str, int]]
) -> Questions:
    """`missing`: as the dry run found it."""
    accounts: Mapping[str, str] = mapping.get("accounts") or {}
    counts = {(kind, key): n for kind, key, n in missing}
    roles = {role: _role(role, accounts, chart, counts.get(("account", role.value), 0)) for role in _ROLES}
    customers: Mapping[str, Any] = mapping.get("customers") or {}
    first = [roles[role] for role in _FIRST]
    first.append(
        Asked(
            "one_time", "Customer of guests", "The one-time or collective customer of orders without an account.",
            value=str(customers.get("one_time", "")), orders=counts.get(("customer", "one_time"), 0),
        )
    )  # fmt: skip
    first.append(
        Asked(
            "untaxed_code", "Tax code of what is not taxed", "Stands on lines without any tax.",
            value=str(mapping.get("untaxed_code", "")),
        )
    )  # fmt: skip
    if style == "sales":
        ticked = "on" if mapping.get("items_match", "" if accounts else "sku") == "sku" else ""
        first.append(Asked("items_match", "A SKU of the store is the item code of the ERP", what="tick", value=ticked))
    found: list[Asked] = []
    elsewhere: list[str] = []
    for kind, key, n in missing:
        asked = _missing(kind, key, n, chart)
        if asked is not None:
            found.append(asked)
        elif not (kind == "account" or (kind, key) == ("customer", "one_time")):
            elsewhere.append(wording.title("unmapped", f"{kind}|{key}", "the ERP"))
    return Questions(first, [roles[role] for role in _ROLES if role not in _FIRST], found, elsewhere)


def write(content: Content, policy: Content, answers: Answers, missing: Sequence[tuple[str, str, int]]) -> list[str]:
    """Puts the answers into the mapping and the policy; what is wrong, in words. An empty blank changes nothing of what
    is missing, and takes away what was set."""
    problems: list[str] = []
    accounts: dict[str, str] = {**(content.get("accounts") or dict[str, str]())}
    for role in _ROLES:
        if (name := f"{_ROLE}{role.value}") in answers:
            value = number_of(answers[name])
            accounts.pop(role.value, None)
            if value:
                accounts[role.value] = value
    content["accounts"] = accounts
    if "untaxed_code" in answers:
        content["untaxed_code"] = answers["untaxed_code"].strip()
    if one_time := answers.get("one_time", "").strip():
        content["customers"] = {**(content.get("customers") or {}), "one_time": one_time}
    if "items_match" in answers or "asks:items_match" in answers:
        content["items_match"] = "sku" if answers.get("items_match") == "on" else ""
    for kind, key, _ in missing:
        name = f"{_MISSING}{kind}|{key}"
        if kind == "tax":
            problems += _write_tax(content, name, key, answers)
        elif kind == "tax_group":
            problems += _write_group(content, name, key, answers)
        elif kind == "offline_method":
            if answers.get(name, ""):
                policy["offline_methods"] = {**(policy.get("offline_methods") or {}), key: answers[name]}
        elif kind in SETTERS and (given := number_of(answers.get(name, ""))):
            SETTERS[kind](content, key, given)
    return problems


def number_of(typed: str) -> str:
    """`11310000` of `11310000 Card clearing`: what the list puts into a blank."""
    return typed.strip().split(" ")[0]


def likely(phrases: Sequence[str], chart: Sequence[LedgerAccount]) -> str:
    """The account whose name has all words of the first phrase that any name has; empty where several could be it."""
    for phrase in phrases:
        fitting = [
            each for each in chart if not each.blocked and all(word in each.name.casefold() for word in phrase.split())
        ]
        if fitting:
            best = fitting[0]
            return f"{best.number} {best.name}".strip()
    return ""


def _role(role: Role, accounts: Mapping[str, str], chart: Sequence[LedgerAccount], orders: int) -> Asked:
    title, help, phrases = _ROLES[role]
    value = _named(accounts.get(role.value, ""), chart)
    suggested = "" if value or accounts else likely(phrases, chart)
    return Asked(f"{_ROLE}{role.value}", title, help, "account", value, suggested, orders)


def _named(number: str, chart: Sequence[LedgerAccount]) -> str:
    """With its name, as the list puts it into a blank."""
    name = next((each.name for each in chart if each.number.lstrip("0") == number.lstrip("0")), "")
    return f"{number} {name}".strip()


def _missing(kind: str, key: str, orders: int, chart: Sequence[LedgerAccount]) -> Asked | None:
    name, label = f"{_MISSING}{kind}|{key}", key.replace("|", ", ") or "(empty)"
    match kind:
        case "payment_method":
            method = key.casefold()
            phrases = next(phrases for word, phrases in _PAYMENTS if word in method)
            return Asked(
                name, label, "Payment method: the account where its money stands until it is on the bank.", "account",
                suggested=likely((key.partition("|")[0], *phrases), chart), orders=orders,
            )  # fmt: skip
        case "tax":
            tax, _, rest = key.partition("|")
            words = f"{tax}, {rest.rpartition('|')[2]} %"
            return Asked(
                name, words, "Tax of the store: its code in the ERP, and the account that it is owed on.", "tax",
                suggested=likely(("output tax", "tax payable", "sales tax", "tax"), chart), orders=orders,
            )  # fmt: skip
        case "tax_group":
            return Asked(
                name,
                key.replace("+", " and "),
                "Taxes that come together: the one code for them.",
                "group",
                orders=orders,
            )
        case "offline_method":
            return Asked(
                name, label, "Payment method without a payment in the store.", "choice", orders=orders, choices=_WAYS
            )
        case "account" if key not in Role:
            return None
        case "revenue":
            return Asked(name, label, "Revenue of this SKU.", "account", orders=orders)
        case "item":
            return Asked(name, label, "Its item code in the ERP.", orders=orders)
        case "fee_tax":
            return Asked(name, f"Fees of tax class {label}", "Their tax code in the ERP.", orders=orders)
        case "company":
            return Asked(name, label, "The company's customer number in the ERP.", orders=orders)
        case "customer" if key != "one_time":
            return Asked(name, label, "The customer's number in the ERP.", orders=orders)
        case _:
            return None


def _write_tax(content: Content, name: str, key: str, answers: Answers) -> list[str]:
    code, account = answers.get(f"{name}:code", "").strip(), number_of(answers.get(f"{name}:account", ""))
    if not code:
        return []
    tax, _, rest = key.partition("|")
    rate = rest.rpartition("|")[2]
    if not account:
        return [f"The tax {tax} has a code and no account: both are needed."]
    try:
        Decimal(rate)
    except InvalidOperation:
        return [f"The tax {tax} has no rate that can be read: write it into the mapping by hand."]
    entry = {"name": tax, "rate": rate, "tax_code": code, "account": account}
    if jurisdiction := answers.get(f"{name}:jurisdiction", "").strip():
        entry["jurisdiction"] = jurisdiction
    content["taxes"] = [*(content.get("taxes") or []), entry]
    return []


def _write_group(content: Content, name: str, key: str, answers: Answers) -> list[str]:
    code = answers.get(f"{name}:code", "").strip()
    if not code:
        return []
    codes = key.split("+")
    given = answers.get(f"{name}:levels", "").replace(",", " ").split()
    if given and len(given) != len(codes):
        return [f"{key} are {len(codes)} taxes: give as many jurisdictions, in their order, or none."]
    entry: dict[str, Any] = {"codes": codes, "code": code, "levels": given or [""] * len(codes)}
    content["tax_groups"] = [*(content.get("tax_groups") or []), entry]
    return []
