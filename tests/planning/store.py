"""A store that computes orders the way the vendor's does: per-line tax after discounts, four decimals, own rounding."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from ml_connector.config.mapping import mapping_from
from ml_connector.config.policy import policy_from
from ml_connector.domain.documents import Document, Documents, Held, Plan, PostedDocument
from ml_connector.domain.mapping import Mapping
from ml_connector.domain.money import ZERO, minor_unit, round_half_up
from ml_connector.domain.orders import (
    Address,
    AppliedDiscount,
    Order,
    OrderCoupon,
    OrderFee,
    OrderLine,
    OrderSnapshot,
    Refund,
    RefundAdjustment,
    RefundItem,
    RefundPayment,
    ShippingAddress,
    Store,
    Tax3,
    TaxRow,
    Transaction,
)
from ml_connector.domain.policy import Policy
from ml_connector.planning import Facts, plan_order

CREATED = datetime(2026, 3, 4, 15, 20, tzinfo=UTC)
RATES = {"none": "0", "low": "7", "high": "19", "state": "8.25"}
D = Decimal

MAPPING = {
    "accounts": {
        "receivable": "121000",
        "customer_deposit": "217000",
        "revenue": "410000",
        "discount_promotion": "419000",
        "discount_coupon": "419100",
        "discount_manual": "419200",
        "shipping_income": "411000",
        "handling_income": "411100",
        "wrapping_income": "411200",
        "fee_income": "411300",
        "gift_certificate_liability": "218000",
        "store_credit_liability": "218100",
        "sales_returns": "418000",
        "refund_adjustment": "418500",
        "restocking_fee": "411400",
        "rounding": "469000",
    },
    "taxes": [
        {"name": "low", "rate": "7", "tax_code": "A2", "account": "177100"},
        {"name": "high", "rate": "19", "tax_code": "A1", "account": "177600"},
        {"name": "state", "rate": "8.25", "tax_code": "O1", "account": "220100"},
        {"name": "county", "rate": "1", "tax_code": "O2", "account": "220200"},
    ],
    "untaxed_code": "A0",
    "fee_tax_codes": {"5": "A1"},
    "payment_methods": [
        {"gateway": "braintree", "method": "credit_card", "account": "113100", "text": "Card"},
        {"gateway": "paypalcommerce", "account": "113200", "text": "PayPal"},
        {"offline": "Bank Deposit", "account": "136900", "text": "Bank deposit"},
    ],
    "customers": {
        "one_time": "199999",
        "collective": "188888",
        "individual": {"77": "100177"},
        "companies": {"4401": "200440"},
    },
}


def a_mapping(**changes: object) -> Mapping:
    return mapping_from({**MAPPING, **changes})


def a_policy(**changes: object) -> Policy:
    """Keys with double underscores for dots: `posting__trigger="shipment"`."""
    return policy_from({"reference.tag": "S1"} | {key.replace("__", "."): value for key, value in changes.items()})


@dataclass(frozen=True)
class Item:
    """`price` per unit, with or without tax as the store's prices are. `discounts`: (id, code, amount of the line)."""

    price: Decimal = D("20.00")
    quantity: int = 3
    rate: str = "state"
    discounts: tuple[tuple[str, str, Decimal], ...] = ()
    wrapping: Decimal = ZERO
    type: str = "physical"
    sku: str = ""
    brand: str = ""
    id: int = 0


@dataclass(frozen=True)
class StoreOrder:
    items: tuple[Item, ...] = (Item(),)
    inclusive: bool = False
    currency: str = "USD"
    shipping: tuple[Decimal, ...] = (D("8.00"),)
    handling: Decimal = ZERO
    charge_rate: str = "state"
    fee: Decimal = ZERO
    shipping_coupon: Decimal = ZERO
    residue: int = 0
    store_credit: Decimal = ZERO
    gift_certificate: Decimal = ZERO
    id: int = 10250
    status: int = 11
    customer: int = 77
    jurisdictions: bool = False
    changes: dict[str, object] = field(default_factory=dict)

    def charge(self, amount: Decimal, rate: str) -> Tax3:
        share = D(RATES[rate]) / 100
        if self.inclusive:
            net = self.whole(amount / (1 + share))
            return Tax3(net, amount, amount - net)
        tax = self.whole(amount * share)
        return Tax3(amount, amount + tax, tax)

    def whole(self, amount: Decimal) -> Decimal:
        return round_half_up(amount, self.currency)

    def line(self, item: Item, number: int) -> OrderLine:
        share = D(RATES[item.rate]) / 100
        off = sum((amount for _, _, amount in item.discounts), ZERO)
        if self.inclusive:
            inc = item.price * item.quantity
            ex = four(inc / (1 + share))
            after = inc - off
            tax = self.whole(after * share / (1 + share))
            discounted = after
        else:
            ex = item.price * item.quantity
            inc = four(ex * (1 + share))
            tax = self.whole((ex - off) * share)
            discounted = ex - off + tax
        return OrderLine(
            id=item.id or 501 + number,
            product_id=1500 + number,
            sku=item.sku or f"SKU-{number}",
            name=f"Item {number}",
            type=item.type,
            quantity=item.quantity,
            totals=Tax3(ex, inc, tax),
            discounted_total_inc_tax=discounted,
            address_id=61,
            brand=item.brand,
            wrapping=self.charge(item.wrapping, item.rate) if item.wrapping else Tax3(),
            wrapping_name="Ribbon",
            discounts=tuple(AppliedDiscount(id_, amount, code, id_) for id_, code, amount in item.discounts),
        )

    def rows(self, name: str, tax: Decimal, line_id: int | None, kind: str, address: int) -> list[TaxRow]:
        """One row, or two that share the tax in fractions where the place has two jurisdictions."""
        if name == "none":
            return []
        rate = D(RATES[name])
        if self.jurisdictions and name == "state" and tax:
            county = four(tax * D("0.1213"))
            return [
                TaxRow("state", "Default", rate, tax - county, address, line_id, kind),
                TaxRow("county", "Default", D(1), county, address, line_id, kind),
            ]
        return [TaxRow(name, "Default", rate, tax, address, line_id, kind)]

    def snapshot(self, **changes: object) -> OrderSnapshot:
        lines = tuple(self.line(item, number) for number, item in enumerate(self.items))
        shippings = [self.charge(amount, self.charge_rate) for amount in self.shipping]
        handlings = [self.charge(self.handling, self.charge_rate) if n == 0 else Tax3() for n in range(len(shippings))]
        addresses = tuple(
            ShippingAddress(61 + n, "US", "Texas", shipping, handling, "Ground")
            for n, (shipping, handling) in enumerate(zip(shippings, handlings, strict=True))
        )
        taxes: list[TaxRow] = []
        for item, line in zip(self.items, lines, strict=True):
            taxes += self.rows(item.rate, line.totals.tax, line.id, "item", 61)
            if item.wrapping:
                taxes += self.rows(item.rate, line.wrapping.tax, line.id, "gift-wrapping", 61)
        for address in addresses:
            taxes += self.rows(self.charge_rate, address.shipping.tax, None, "shipping", address.id)
            if address.handling.ex_tax:
                taxes += self.rows(self.charge_rate, address.handling.tax, None, "handling", address.id)
        fees = (OrderFee(1, "Insurance", Tax3(self.fee, self.fee, ZERO)),) if self.fee else ()
        wrapping = three(line.wrapping for line in lines)
        shipping, handling = three(shippings), three(handlings)
        subtotal = three(line.totals for line in lines)
        line_off = sum((amount for item in self.items for _, _, amount in item.discounts), ZERO)
        coupons_off = sum((amount for item in self.items for _, code, amount in item.discounts if code), ZERO)
        tax = sum((row.amount for row in taxes), ZERO)
        charged = three([shipping, handling, wrapping, *(fee.cost for fee in fees)])
        off = line_off + self.shipping_coupon
        unit = minor_unit(self.currency)
        if self.inclusive:
            total_inc = self.whole(subtotal.inc_tax + charged.inc_tax - off) + unit * self.residue
            total_ex = total_inc - tax
        else:
            total_ex = self.whole(subtotal.ex_tax + charged.ex_tax - off) + unit * self.residue
            total_inc = total_ex + tax
        codes = {code for item in self.items for _, code, _ in item.discounts if code}
        coupons = [OrderCoupon(n, code, 2, ZERO, ZERO) for n, code in enumerate(sorted(codes))]
        if self.shipping_coupon:
            coupons.append(OrderCoupon(99, "SHIP", 3, self.shipping_coupon, self.shipping_coupon))
        order = Order(
            id=self.id,
            status_id=self.status,
            customer_id=self.customer,
            channel_id=1,
            currency=self.currency,
            created=CREATED,
            modified=CREATED + timedelta(days=2),
            shipped=None,
            subtotal=subtotal,
            shipping=shipping,
            handling=handling,
            wrapping=wrapping,
            total=Tax3(total_ex, total_inc, tax),
            discount_amount=line_off - coupons_off,
            coupon_discount=coupons_off + self.shipping_coupon,
            store_credit_amount=self.store_credit,
            gift_certificate_amount=self.gift_certificate,
            payment_method="Credit Card",
            payment_status="captured",
            store_currency=self.currency,
            billing=Address("Ana", "Prill", country_iso2="US", state="Texas", email="ana@example.net"),
        )
        snapshot = OrderSnapshot(
            store=Store("abc123", "America/Chicago", self.currency),
            order=replace(order, **self.changes),
            lines=lines,
            addresses=addresses,
            coupons=tuple(coupons),
            taxes=tuple(taxes),
            fees=fees,
        )
        return replace(snapshot, **changes)


def four(amount: Decimal) -> Decimal:
    return amount.quantize(D("0.0001"), ROUND_HALF_UP)


def three(charges: object) -> Tax3:
    total = Tax3()
    for charge in charges:
        total = Tax3(total.ex_tax + charge.ex_tax, total.inc_tax + charge.inc_tax, total.tax + charge.tax)
    return total


def due(snapshot: OrderSnapshot) -> Decimal:
    order = snapshot.order
    return order.total.inc_tax - order.store_credit_amount - order.gift_certificate_amount


def a_transaction(amount: Decimal | str, number: int = 1, **changes: object) -> Transaction:
    row = Transaction(
        id=str(90100000 + number),
        event="purchase",
        method="credit_card",
        amount=D(amount),
        currency="USD",
        gateway="braintree",
        status="ok",
        test=False,
        created=CREATED + timedelta(minutes=number),
    )
    return replace(row, **changes)


def captured(snapshot: OrderSnapshot, **changes: object) -> OrderSnapshot:
    """The same order, paid in full by card."""
    row = a_transaction(due(snapshot), currency=snapshot.order.currency, **changes)
    return replace(snapshot, transactions=(row,))


def a_refund(
    amount: Decimal | str, tax: Decimal | str, *items: RefundItem, number: int = 31, provider: str = "braintree",
    **changes: object,
) -> Refund:  # fmt: skip
    refund = Refund(
        id=number,
        created=CREATED + timedelta(days=5, minutes=number),
        total_amount=D(amount),
        total_tax=D(tax),
        uses_merchant_override=False,
        items=items,
        payments=(RefundPayment(number + 46, provider, D(amount), offline=False, is_declined=False),),
    )
    return replace(refund, **changes)


def an_item(
    kind: str, item_id: int, quantity: int = 0, amount: Decimal | str | None = None, adjustments: tuple[str, ...] = ()
) -> RefundItem:
    requested = None if amount is None else D(amount)
    return RefundItem(
        kind, item_id, quantity, requested, adjustments=tuple(RefundAdjustment(D(part), "") for part in adjustments)
    )


def plan(
    snapshot: OrderSnapshot,
    policy: Policy | None = None,
    mapping: Mapping | None = None,
    posted: tuple[PostedDocument, ...] | tuple[Document, ...] = (),
    **facts: object,
) -> Plan:
    items = tuple(item if isinstance(item, PostedDocument) else PostedDocument(item) for item in posted)
    return plan_order(
        snapshot, mapping or a_mapping(), policy or a_policy(), Facts(posted=items, **facts)  # type: ignore[arg-type]
    )  # fmt: skip


def documents(result: Plan) -> tuple[Document, ...]:
    assert isinstance(result, Documents), result
    return result.documents


def held(result: Plan) -> Held:
    assert isinstance(result, Held), result
    return result


def references(result: Plan) -> list[str]:
    return [document.reference for document in documents(result)]


def balances(*groups: tuple[Document, ...] | list[Document]) -> dict[tuple[str, str, str], Decimal]:
    """Debit minus credit per role, account and tax code; accounts at zero are left out."""
    sums: dict[tuple[str, str, str], Decimal] = {}
    for group in groups:
        for document in group:
            for line in document.lines:
                key = (line.role.value, line.account, line.tax_code)
                sums[key] = sums.get(key, ZERO) + line.signed
    return {key: amount for key, amount in sums.items() if amount != 0}


def of_role(group: tuple[Document, ...] | list[Document], *roles: str) -> Decimal:
    """Debit minus credit of the named roles."""
    return sum((line.signed for document in group for line in document.lines if line.role.value in roles), ZERO)
