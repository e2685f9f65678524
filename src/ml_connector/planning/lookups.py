"""Look-ups in the mapping that remember what they missed, so that one look by a person fixes everything."""

from dataclasses import dataclass, field
from decimal import Decimal

from ml_connector.domain.documents import Dimension, Held, HoldCode, Role
from ml_connector.domain.mapping import Mapping, PaymentMethod, RevenueRule, TaxRule
from ml_connector.domain.orders import Order, OrderLine, TaxRow

UNKNOWN_CATEGORY = (
    ", whose categories are not known: the product is gone or `read_categories` is off; a rule by its SKU, before those"
    " by category, settles it"
)
_NOTHING = PaymentMethod(account="", text="")


def plain(number: Decimal) -> str:
    """A number without needless zeros: `8.25`, `19`, `100`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(slots=True)
class Lookups:
    """A miss returns an empty value and is kept; `raise_missing` turns all misses into one hold."""

    mapping: Mapping
    missing: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    _about: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def miss(self, kind: str, key: str, about: str = "") -> None:
        """`about`: what a person must know beside the key, e.g. that an entry exists for another currency alone."""
        if (kind, key) not in self.missing:
            self.missing.append((kind, key))
            self._about[kind, key] = about

    def held(self) -> Held | None:
        """The hold for everything that was missed so far, if anything was."""
        if not self.missing:
            return None
        kind, key = self.missing[0]
        names = ", ".join(f"{each[0]} {each[1]!r}{self._about.get(each, '')}" for each in self.missing)
        return Held(
            HoldCode.UNMAPPED,
            f"the mapping has no entry for {names}",
            key=f"{kind}|{key}",
            facts={"kind": kind, "key": key}
            | {f"missing {number}": f"{kind}|{key}" for number, (kind, key) in enumerate(self.missing, start=1)},
            missing=tuple(self.missing),
        )

    def account(self, role: Role) -> str:
        account = self.mapping.accounts.get(role.value, "")
        if not account:
            self.miss("account", role.value)
        return account

    def revenue(self, line: OrderLine, order: Order) -> tuple[str, Dimension]:
        """Account and own dimension of a line's revenue: the first rule that fits, else the role's account.

        A rule that would fit by a category that nobody knows is a miss: the account is not guessed.
        """
        for rule in self.mapping.revenue_rules:
            if not _fits(rule, line, order):
                continue
            if rule.category is not None and line.categories is None:
                self.miss("revenue", line.sku or line.name, UNKNOWN_CATEGORY)
            return rule.account, rule.dimension
        return self.account(Role.REVENUE), Dimension()

    def item(self, line: OrderLine) -> str:
        """The ERP's item code of an order line."""
        mapped = self.mapping.items.get(line.sku, "")
        if not mapped and self.mapping.items_match == "sku":
            mapped = line.sku
        if not mapped:
            about = "" if line.sku else f" (line {line.id} has no SKU: the entry of the empty SKU takes such lines)"
            self.miss("item", line.sku, about)
        return mapped

    def tax(self, row: TaxRow, country: str, state: str) -> TaxRule | None:
        """The rule of a tax row, or None without a miss: the caller knows whether the row matters."""
        for rule in self.mapping.taxes:
            if (
                rule.name == row.name
                and rule.rate == row.rate
                and rule.tax_class in (None, row.tax_class)
                and (rule.country is None or rule.country.upper() == country.upper())
                and (rule.state is None or rule.state.casefold() == state.casefold())
            ):
                return rule
        return None

    def miss_tax(self, row: TaxRow) -> None:
        self.miss("tax", f"{row.name}|{row.tax_class}|{plain(row.rate)}")

    def tax_account(self, tax_code: str) -> str:
        """The account of a tax code that no row of the order names, such as a fee's."""
        account = next((rule.account for rule in self.mapping.taxes if rule.tax_code == tax_code), "")
        if not account:
            self.miss("tax_account", tax_code)
        return account

    def payment(self, gateway: str, method: str, currency: str, offline: str = "") -> PaymentMethod:
        """The clearing account of a transaction. `offline`: the order's payment method, where no gateway is named."""
        for rule in self.mapping.payment_methods:
            if rule.currency not in (None, currency):
                continue
            if rule.offline is not None:
                if offline and rule.offline == offline:
                    return rule
            elif rule.gateway in (None, gateway) and rule.method in (None, method) and (gateway or method):
                return rule
        self.miss("payment_method", f"{gateway}|{method}" if gateway or method else offline, f" in {currency}")
        return _NOTHING

    def payout(self, provider: str, methods: tuple[str, ...], currency: str, offline: str) -> PaymentMethod:
        """The clearing account of a refund payment. `methods`: how this provider was paid, as far as it is known."""
        rules = [rule for rule in self.mapping.payment_methods if rule.currency in (None, currency)]
        of_gateway = [rule for rule in rules if rule.gateway == provider]
        exact = [rule for rule in of_gateway if rule.method is None or rule.method in methods]
        for rule in (*exact, *of_gateway):
            return rule
        for rule in rules:
            if rule.offline is not None and rule.offline in (provider, offline):
                return rule
        for rule in rules:
            if rule.offline is None and rule.gateway is None and (rule.method is None or rule.method in methods):
                return rule
        self.miss("payment_method", f"{provider}|{methods[0] if methods else ''}", f" in {currency}")
        return _NOTHING


def _fits(rule: RevenueRule, line: OrderLine, order: Order) -> bool:
    return (
        rule.sku in (None, line.sku)
        and rule.brand in (None, line.brand)
        and (rule.category is None or line.categories is None or rule.category in line.categories)
        and rule.customer_group in (None, order.customer_group_id)
        and rule.channel in (None, order.channel_id)
    )
