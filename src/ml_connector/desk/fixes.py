"""How each kind of hold ends: the form that stands beside it, or who does what, where. One row for every kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, cast

from ml_connector.config.edit import Edit
from ml_connector.config.entry import SETTERS
from ml_connector.config.mapped import is_mapped
from ml_connector.config.mapping import MappingError, mapping_from


class Form(StrEnum):
    """What stands beside a hold. `NONE`: the sentence alone."""

    NONE = "none"
    CHOOSE = "choose"
    """One value of the mapping."""
    TAX = "tax"
    """A rule of `taxes`: name, rate, code, account."""
    ACCOUNT = "account"
    """Another account in the place of one that cannot be used."""
    DOCUMENT = "document"
    """What is true of a document."""
    POLICY = "policy"
    """A choice of the policy, or a limit of it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a policy key that ends holds of a kind. `follows`: what it means, for every order from now on."""

    key: str
    value: str
    title: str
    follows: str


@dataclass(frozen=True, slots=True)
class Fix:
    """`where`: who does what where, if the form is not it. `limit`: the policy key of a tolerance in minor units that
    may be raised. `release`: what the button says that lets the records run again; empty: there is none. `repost`: a
    person may have these orders reversed and posted anew. `keep`: what leaving it means."""

    form: Form = Form.NONE
    where: str = ""
    choices: tuple[Choice, ...] = ()
    limit: str = ""
    release: str = ""
    repost: bool = False
    keep: str = ""


_AGAIN = "Look again now"
_STORE = (
    "In the store’s order page. It is read and planned again by itself as soon as the store says that it has changed."
)
_BY_HAND = "Finance books it by hand in {erp}, then leaves the order out with a reason (Exclude… on the order’s page)."
_SHIP = (
    "In the ERP’s delivery, or in the store’s shipments; whoever runs the warehouse knows which. Then let it run again."
)

FIXES: Final[Mapping[str, Fix]] = {
    "awaiting_capture": Fix(where="Whoever takes payments captures or cancels it in the store. Nothing is to do here."),
    "status_held": Fix(where="Whoever checks orders decides in the store. Nothing is to be done here."),
    "totals_mismatch": Fix(
        Form.POLICY, "If somebody changed the order by hand, mend it in the store: it goes by itself then.",
        limit="rounding.tolerance_minor", release=_AGAIN,
        keep="Left as it is, the order stays out of the books until the store’s own figures add up.",
    ),
    "refund_mismatch": Fix(
        Form.POLICY, "If the refund is wrong in the store or at the provider, correct it there.",
        limit="rounding.tolerance_minor", release=_AGAIN,
        keep="Left as it is, nothing more of the order is booked until the refund adds up.",
    ),
    "tax_mismatch": Fix(
        Form.POLICY, "A tax app that writes late is often the cause: it goes by itself when its rows are there.",
        limit="tax.tolerance_minor", release=_AGAIN,
        keep="Left as it is, the order stays out of the books until its tax rows add up.",
    ),
    "tax_overridden": Fix(where=f"{_STORE} Or: {_BY_HAND}"),
    "currency_mismatch": Fix(where=f"Finance asks the payment provider in which currency it was paid. {_BY_HAND}"),
    "voucher_taxed": Fix(where=f"Whoever keeps the catalogue takes the tax class off gift certificates. {_STORE}"),
    "single_purpose_redeemed": Fix(where=_BY_HAND),
    "refund_partly_declined": Fix(where=f"Whoever made the refund finishes it. {_STORE}"),
    "refund_exceeds_capture": Fix(where=f"Finance asks who gave back more than was paid. {_BY_HAND}"),
    "cancelled_after_posting": Fix(
        Form.POLICY, "Or reverse the documents of this one order by hand in {erp}.",
        (
            Choice(
                "cancel.after_posting", "reverse", "Reverse what is booked",
                "From now on every order that is cancelled after it was booked is reversed by itself, these too.",
            ),
        ),
        keep="Left as it is, the documents stand although the order is cancelled.",
    ),
    "cancelled_partly_refunded": Fix(where=f"Customer service refunds the rest, or undoes the cancelling. {_STORE}"),
    "cancelled_with_money": Fix(where=f"Customer service refunds what was captured. {_STORE}"),
    "amended_after_posting": Fix(
        Form.POLICY, "Or amend the document by hand in {erp}.",
        (
            Choice(
                "amendment", "reverse_repost", "From now on reverse and post anew",
                "Every order that the store changes after it was booked is reversed and posted anew by itself.",
            ),
            Choice(
                "amendment", "adjust", "From now on book the difference",
                "Every such order gets an adjustment beside what is booked; what cannot be adjusted still asks you.",
            ),
        ),
        repost=True, keep="Left as it is, the books keep the figures from before the change.",
    ),
    "amended_after_invoicing": Fix(
        Form.POLICY, "Or credit it in {erp} and invoice what is right there; or take the edit back in the store.",
        repost=True, keep="Left as it is, the invoice stands with the figures from before the change.",
    ),
    "erp_tax_difference": Fix(
        where="Whoever keeps master data mends the tax code’s rate or the customer’s exemption in {erp}, or the "
        "code on Mapping and policy. Then let it run again.",
        release=_AGAIN,
    ),
    "archived": Fix(where=f"Whoever archived the order restores it, or cancels it. {_STORE}"),
    "b2b_unknown": Fix(
        where="The integrator switches the B2B edition’s reading on, or says on Connections that no company buys on "
        f"account (b2b: false). Or: {_BY_HAND}"
    ),
    "master_data": Fix(
        where="Whoever keeps master data creates it in {erp}, or opens it there. Then let the orders run again.",
        release="It is there now: release",
    ),
    "closed_period": Fix(
        Form.POLICY, "Ask whoever closes the books in {erp} to open the day again.",
        (
            Choice(
                "closed_period", "first_open_day", "Post on the first open day",
                "From now on whatever falls into a closed period is posted on the first open day after it, these too. "
                "The document date stays the day of the order.",
            ),
        ),
        release="The period is open again: release",
        keep="Left as it is, they wait until the period is open, and are posted on their own day then.",
    ),
    "multi_ship": Fix(
        Form.POLICY, "Or split the order in the store, or enter it by hand in {erp}.",
        (
            Choice(
                "sales.several_addresses", "text", "Send it to the first address, name the others on the lines",
                "From now on the document goes to the first address, and each line that goes elsewhere says where, "
                "if the ERP has room for that.",
            ),
        ),
    ),
    "awaiting_tracking": Fix(
        Form.POLICY, "Whoever packs enters the tracking number in {erp}: it goes by itself then.",
        (
            Choice(
                "shipments.without_tracking", "send", "Tell the store without a tracking number",
                "From now on the shopper is told of deliveries that have no tracking number, these too.",
            ),
        ),
    ),
    "delivery_changed": Fix(where=_SHIP, release=_AGAIN),
    "delivery_unclear": Fix(where=_SHIP, release=_AGAIN),
    "order_closed": Fix(
        where="Whoever runs the warehouse stops the parcel, or customer service opens the order again in the store. "
        "Then let it run again.",
        release=_AGAIN,
    ),
    "shipment_exceeds": Fix(where=_SHIP, release=_AGAIN),
    "stale_stock": Fix(
        where="Whoever keeps stock looks in {erp} whether the figures are right again. Then let them go to the store.",
        release="The figures are right: release",
    ),
    "rejected": Fix(
        where="Do in {erp} what its message asks for. Then let the orders run again: each is looked up first.",
        release="It is mended: release",
    ),
    "unsupported_document": Fix(
        where="The integrator makes the choice that the message names, on Mapping and policy. Then it goes by itself.",
        release=_AGAIN,
    ),
    "reference_overflow": Fix(where=_BY_HAND),
    "plan_changed": Fix(
        where="Look at the plan once more and apply it again. Or let it run: it is booked as it is planned now.",
        release="Book it as it is now",
    ),
    "connection": Fix(
        where="The operator renews the secret or the right on Connections; what waits goes by itself then.",
        release="It is mended at the other side: release",
    ),
    "posting_held": Fix(Form.DOCUMENT),
    "reversed_in_erp": Fix(Form.DOCUMENT),
}  # fmt: skip
"""Every kind but `unmapped`, which has a row for each kind of what is missing."""

_TABLES: Final[Mapping[str, str]] = {
    "tax_group": "tax_groups", "warehouse": "warehouses", "warehouses": "warehouses", "carrier": "carriers",
}  # fmt: skip
UNKNOWN: Final = Fix(where="Read the message and do what it says. Then let the records run again.", release=_AGAIN)


def fix_of(kind: str, key: str) -> Fix:
    """Of a hold; for a kind that nobody wrote a row for: run again."""
    if kind == "unmapped":
        missing = key.partition("|")[0]
        if missing in SETTERS:
            return Fix(Form.CHOOSE)
        if missing in ("tax", "tax_account"):
            return Fix(Form.TAX)
        table = _TABLES.get(missing, missing)
        return Fix(
            where=f"The integrator writes it into the table “{table}” on Mapping and policy, or in the file. "
            "What waits goes as soon as that is saved."
        )
    if kind == "master_data" and key.startswith("gl_account|"):
        made = FIXES[kind]
        return Fix(Form.ACCOUNT, made.where, release=made.release)
    return FIXES.get(kind, UNKNOWN)


class NoFix(Exception):
    """The value cannot be used; the message says why. Nothing has changed."""


def policy_edit(integration: str, fix: Fix, key: str, value: str) -> Edit:
    """Sets a choice that `fix` offers, or its limit. Raises `NoFix` for any other."""
    written: object = value
    if key == fix.limit and key:
        if not (value.isascii() and value.isdecimal() and len(value) <= 6):
            raise NoFix("Give the limit in whole cents, for example 110 for 1.10.")
        written = int(value)
    elif not any((each.key, each.value) == (key, value) for each in fix.choices):
        raise NoFix("Choose one of the two.")

    def edit(data: dict[str, Any]) -> None:
        _entry(data, integration)["policy"][key] = written

    return edit


@dataclass(frozen=True, slots=True)
class Tax:
    """A rule of `taxes`, as it is typed."""

    name: str
    rate: str
    code: str
    account: str


def tax_of(key: str) -> Tax:
    """What a hold's key (`tax|name|class|rate`, or `tax_account|code`) tells of the rule that is missing."""
    kind, _, rest = key.partition("|")
    if kind == "tax_account":
        return Tax("", "", rest, "")
    name, _, others = rest.partition("|")
    return Tax(name, others.rpartition("|")[2], "", "")


def tax_edit(integration: str, key: str, tax: Tax) -> Edit:
    """Adds the rule. Raises `NoFix`, also while the edit is made where the key would still be missing."""
    rate = tax.rate.strip().rstrip("%").strip()
    try:
        usable = 0 <= Decimal(rate) < 1000
    except InvalidOperation:
        usable = False
    if not usable:
        raise NoFix("Give the rate in percent, for example 8.25.")
    if not tax.name.strip() or not tax.code.strip() or not tax.account.strip():
        raise NoFix("Name, tax code and account are all needed.")
    rule = {"name": tax.name.strip(), "rate": rate, "tax_code": tax.code.strip(), "account": tax.account.strip()}

    def write(mapping: dict[str, Any]) -> None:
        mapping["taxes"] = [*mapping.get("taxes", []), rule]

    return _mapping_edit(integration, write, key)


def account_edit(integration: str, old: str, new: str) -> Edit:
    """Puts `new` wherever the mapping names the account `old`. Raises `NoFix`."""
    value = new.strip()
    if not value:
        raise NoFix("Choose an account first.")
    if _bare(value) == _bare(old):
        raise NoFix(f"{value} is the account that cannot be used: choose another one.")

    def write(mapping: dict[str, Any]) -> None:
        if not _replace(mapping, _bare(old), value):
            raise NoFix(f"The mapping does not name the account {old} any more: release the orders instead.")

    return _mapping_edit(integration, write, "")


def _mapping_edit(integration: str, write: Callable[[dict[str, Any]], None], hold_key: str) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        content = _entry(data, integration)["mapping"]
        write(content)
        try:
            mapping = mapping_from(content)
        except MappingError as error:
            raise NoFix(f"{error.path}: {error.message}") from error
        if hold_key and not is_mapped(mapping, hold_key):
            raise NoFix("With that it would still be missing: look at the mapping as a whole.")

    return edit


def _entry(data: dict[str, Any], integration: str) -> dict[str, Any]:
    entry: dict[str, Any] | None = data["integrations"].get(integration)
    if entry is None:
        raise NoFix(f"{integration} is not configured any more.")
    return entry


def _replace(node: object, old: str, new: str, *, of_accounts: bool = False) -> bool:
    """In `accounts` every value, elsewhere every field `account`."""
    found = False
    if isinstance(node, dict):
        fields = cast("dict[str, object]", node)
        for name, value in fields.items():
            if isinstance(value, str):
                if (of_accounts or name == "account") and _bare(value) == old:
                    fields[name] = new
                    found = True
            else:
                found = _replace(value, old, new, of_accounts=name == "accounts") or found
    elif isinstance(node, list):
        for each in cast("list[object]", node):
            found = _replace(each, old, new) or found
    return found


def _bare(account: str) -> str:
    return account.lstrip("0")
