"""Whether a mapping has what a held record missed: the other end of a hold on `unmapped`.

A hold's key is `<kind>|<key>` as planning and the connectors raise it (`docs/mapping.md`). Kinds that are not in the
table count as mapped: to run a record once too often is harmless, to leave it waiting is not.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from ml_connector.domain.mapping import Mapping

Resolves = Callable[[Mapping, str], bool]


def is_mapped(mapping: Mapping, hold_key: str) -> bool:
    """Whether `mapping` has an entry for a hold's key."""
    kind, _, key = hold_key.partition("|")
    resolves = KINDS.get(kind)
    return True if resolves is None else resolves(mapping, key)


def _account(mapping: Mapping, key: str) -> bool:
    return bool(mapping.accounts.get(key))


def _tax(mapping: Mapping, key: str) -> bool:
    """`name|class|rate`; country and state are not in the key, so a rule that is bound to them may fit."""
    name, _, rest = key.partition("|")
    tax_class, _, rate = rest.rpartition("|")
    try:
        number = Decimal(rate)
    except InvalidOperation:
        return True
    return any(
        rule.name == name and rule.rate == number and rule.tax_class in (None, tax_class) for rule in mapping.taxes
    )


def _tax_account(mapping: Mapping, key: str) -> bool:
    return any(rule.tax_code == key and rule.account for rule in mapping.taxes)


def _payment_method(mapping: Mapping, key: str) -> bool:
    """`gateway|method`, or the name of an offline method; the currency is not in the key."""
    gateway, divided, method = key.partition("|")
    for rule in mapping.payment_methods:
        if rule.offline is not None:
            if rule.offline in (key, gateway):
                return True
        elif divided and rule.gateway in (None, gateway) and rule.method in (None, method):
            return True
        elif divided and rule.gateway == gateway:
            return True  # a refund is paid out through any method of its gateway
    return False


def _fee_tax(mapping: Mapping, key: str) -> bool:
    return bool(mapping.fee_tax_codes.get(key))


def _customer(mapping: Mapping, key: str) -> bool:
    customers = mapping.customers
    if key in ("one_time", "collective"):
        return bool(getattr(customers, key))
    return bool(customers.individual.get(key) or customers.collective or customers.one_time)


def _company(mapping: Mapping, key: str) -> bool:
    return bool(mapping.customers.companies.get(key))


def _tax_group(mapping: Mapping, key: str) -> bool:
    return any("+".join(group.codes) == key for group in mapping.tax_groups)


def _revenue(mapping: Mapping, key: str) -> bool:
    """A rule by SKU, or none that asks for a category; whether the product is back is not known here."""
    rules = mapping.revenue_rules
    return any(rule.sku == key for rule in rules) or all(rule.category is None for rule in rules)


def _item(mapping: Mapping, key: str) -> bool:
    """An entry of its own, or the rule that a SKU is the item code; a line without SKU needs the entry."""
    return bool(mapping.items.get(key)) or (mapping.items_match == "sku" and bool(key))


def _warehouse(mapping: Mapping, key: str) -> bool:
    return key in mapping.warehouses


def _carrier(mapping: Mapping, key: str) -> bool:
    """The way of shipping may be mapped by its name, which is not in the key; an empty table maps none."""
    return key in mapping.carriers or not mapping.carriers or any(not code.isdigit() for code in mapping.carriers)


KINDS: dict[str, Resolves] = {
    "account": _account,
    "tax": _tax,
    "tax_account": _tax_account,
    "payment_method": _payment_method,
    "fee_tax": _fee_tax,
    "customer": _customer,
    "company": _company,
    "tax_group": _tax_group,
    "revenue": _revenue,
    "item": _item,
    "warehouse": _warehouse,
    "carrier": _carrier,
}
