"""From BigCommerce payloads to the words of the domain.

`snapshot_from` takes the parts of one order as they were read; `customer_from` one customer. Both raise `WireError`,
which names the order or customer and the field, when the store's data cannot be used.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast
from zoneinfo import ZoneInfo

from ml_connector.connectors.bigcommerce import wire_models as wire
from ml_connector.connectors.bigcommerce.wire_fields import P, WireError, parsed
from ml_connector.domain.customers import Customer
from ml_connector.domain.orders import (
    Address,
    AppliedDiscount,
    B2BFacts,
    InvoiceShare,
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

__all__ = ["WireError", "customer_from", "snapshot_from", "store_from"]


def snapshot_from(parts: Mapping[str, object]) -> OrderSnapshot:
    """One order with everything that belongs to it.

    `parts`: `store`, `order`, `products`, `shipping_addresses`, `coupons`, `taxes` (with details), `fees`,
    `transactions`, `refunds`, and where they apply `b2b` and `customer` (with `vat_form_field`, the name of its form
    field that holds the VAT number). Absent lists are empty. Raises `WireError`.
    """
    order_data = parts.get("order")
    if not isinstance(order_data, Mapping):
        raise WireError("order", "is missing")
    where = f"order {cast(Mapping[str, object], order_data).get('id', '?')}"
    head = parsed(wire.OrderHead, cast(object, order_data), where)
    store = store_from(parts.get("store"))
    buyer = _buyer(parts)
    return OrderSnapshot(
        store=store,
        order=_order(head, store, buyer, where),
        lines=tuple(_line(row) for row in _rows(wire.ProductRow, parts, "products", where)),
        addresses=tuple(
            _shipping_address(row) for row in _rows(wire.ShippingAddressRow, parts, "shipping_addresses", where)
        ),
        coupons=tuple(
            OrderCoupon(row.id, row.code, row.type, row.amount, row.discount)
            for row in _rows(wire.CouponRow, parts, "coupons", where)
        ),
        taxes=tuple(_tax(row) for row in _rows(wire.OrderTaxRow, parts, "taxes", where)),
        fees=tuple(
            OrderFee(row.id, row.name, Tax3(row.cost_ex_tax, row.cost_inc_tax, row.cost_tax), row.tax_class_id)
            for row in _rows(wire.FeeRow, parts, "fees", where)
        ),
        transactions=tuple(_transaction(row) for row in _rows(wire.TransactionRow, parts, "transactions", where)),
        refunds=_refunds(_rows(wire.RefundRow, parts, "refunds", where), where),
        b2b=_b2b(parts.get("b2b"), where),
    )


def store_from(data: object) -> Store:
    """`GET /v2/store`. The time zone is the IANA name, never the raw offset."""
    row = parsed(wire.StoreInformation, {} if data is None else data, "store")
    zone = row.timezone.name or "UTC"
    if not is_time_zone(zone):
        raise WireError("store/timezone", f"{zone!r} is not the name of a time zone (IANA)")
    return Store(row.store_hash, zone, row.currency, row.is_price_entered_with_tax)


@lru_cache(maxsize=64)
def is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; a path; a folder of the zone database
        return False
    return True


def customer_from(data: object, vat_form_field: str = "") -> Customer:
    """`GET /v3/customers`. `vat_form_field` names the form field that holds the VAT number, if the store has one."""
    known = cast(Mapping[str, object], data).get("id", "?") if isinstance(data, Mapping) else "?"
    row = parsed(wire.CustomerRow, cast(object, data), f"customer {known}")
    vat = next((field.value for field in row.form_fields if vat_form_field and field.name == vat_form_field), "")
    return Customer(
        id=row.id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        company=row.company,
        phone=row.phone,
        group_id=row.customer_group_id,
        created=row.date_created,
        modified=row.date_modified or row.date_created,
        addresses=tuple(_address(address) for address in row.addresses),
        tax_exempt_category=row.tax_exempt_category,
        vat_number=str(vat or "").strip(),
        store_credit=sum((credit.amount for credit in row.store_credit_amounts), wire.ZERO),
    )


def _rows(model: type[P], parts: Mapping[str, object], name: str, where: str) -> list[P]:
    rows: Any = parts.get(name) or []
    if isinstance(rows, Mapping):  # the fees resource wraps its list
        rows = cast(Mapping[str, Any], rows).get(name, "")
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes):
        raise WireError(f"{where}/{name}", "is not a list")
    found = [
        parsed(model, row, f"{where}/{name}[{_id(row, index)}]")
        for index, row in enumerate(cast(Sequence[object], rows))
    ]
    return _once(found, f"{where}/{name}") if name in _IDENTIFIED else found


# What becomes a document or a line of its own: named twice, it would be booked twice.
_IDENTIFIED = frozenset({"products", "shipping_addresses", "fees", "transactions", "refunds"})


def _once(rows: Sequence[P], where: str) -> list[P]:
    """Rows that a list shows twice, because it changed while its pages were read, count once. Raises `WireError` where
    two rows with one ID differ."""
    kept: dict[object, P] = {}
    for row in rows:
        id: object = getattr(row, "id", None)
        if kept.setdefault(id, row) != row:
            raise WireError(f"{where}[{id}]", "is there twice, with different content")
    return list(kept.values())


def _id(row: object, index: int) -> object:
    return cast(Mapping[str, object], row).get("id", index) if isinstance(row, Mapping) else index


def _buyer(parts: Mapping[str, object]) -> Customer | None:
    if not parts.get("customer"):
        return None
    return customer_from(parts["customer"], str(parts.get("vat_form_field") or ""))


def _order(head: wire.OrderHead, store: Store, buyer: Customer | None, where: str) -> Order:
    currency = (head.default_currency_code or store.currency).upper()
    if len(currency) != 3:
        raise WireError(f"{where}/default_currency_code", f"{currency!r} is not an ISO 4217 code")
    return Order(
        id=head.id,
        status_id=head.status_id,
        customer_id=head.customer_id,
        channel_id=head.channel_id,
        currency=currency,
        created=head.date_created,
        modified=head.date_modified or head.date_created,
        shipped=head.date_shipped,
        subtotal=Tax3(head.subtotal_ex_tax, head.subtotal_inc_tax, head.subtotal_tax),
        shipping=Tax3(head.shipping_cost_ex_tax, head.shipping_cost_inc_tax, head.shipping_cost_tax),
        handling=Tax3(head.handling_cost_ex_tax, head.handling_cost_inc_tax, head.handling_cost_tax),
        wrapping=Tax3(head.wrapping_cost_ex_tax, head.wrapping_cost_inc_tax, head.wrapping_cost_tax),
        total=Tax3(head.total_ex_tax, head.total_inc_tax, head.total_tax),
        discount_amount=head.discount_amount,
        coupon_discount=head.coupon_discount,
        store_credit_amount=head.store_credit_amount,
        gift_certificate_amount=head.gift_certificate_amount,
        payment_method=head.payment_method,
        payment_status=head.payment_status,
        store_currency=(head.store_default_currency_code or store.currency).upper(),
        store_to_transactional_rate=head.store_default_to_transactional_exchange_rate,
        billing=_address(head.billing_address),
        source=head.order_source,
        is_deleted=head.is_deleted,
        customer_group_id=buyer.group_id if buyer else 0,
        customer_vat_number=buyer.vat_number if buyer else "",
        tax_exempt_category=buyer.tax_exempt_category if buyer else "",
    )


def _line(row: wire.ProductRow) -> OrderLine:
    return OrderLine(
        id=row.id,
        product_id=row.product_id,
        sku=row.sku,
        name=row.name,
        type=row.type,
        quantity=row.quantity,
        totals=Tax3(row.total_ex_tax, row.total_inc_tax, row.total_tax),
        discounted_total_inc_tax=row.discounted_total_inc_tax,
        address_id=row.order_address_id,
        brand=row.brand,
        categories=row.categories if row.product_id else (),  # a line without a product has none
        unit_price_ex_tax=row.price_ex_tax,
        wrapping=Tax3(row.wrapping_cost_ex_tax, row.wrapping_cost_inc_tax, row.wrapping_cost_tax),
        wrapping_name=row.wrapping_name,
        discounts=tuple(
            AppliedDiscount(part.id, part.amount, part.code, part.name, part.target) for part in row.applied_discounts
        ),
        parent_line_id=row.parent_order_product_id or None,
        quantity_refunded=row.quantity_refunded,
        quantity_shipped=row.quantity_shipped,
    )


def _shipping_address(row: wire.ShippingAddressRow) -> ShippingAddress:
    return ShippingAddress(
        id=row.id,
        country_iso2=row.country_iso2,
        state=row.state,
        shipping=Tax3(row.cost_ex_tax, row.cost_inc_tax, row.cost_tax),
        handling=Tax3(row.handling_cost_ex_tax, row.handling_cost_inc_tax, row.handling_cost_tax),
        method=row.shipping_method,
        address=Address(**row.model_dump(include=set(wire.PostalAddress.model_fields))),
    )


def _tax(row: wire.OrderTaxRow) -> TaxRow:
    return TaxRow(
        name=row.name,
        tax_class=row.tax_class,
        rate=row.rate,
        amount=row.line_amount,
        address_id=row.order_address_id,
        line_id=row.order_product_id or None,
        item_type=row.line_item_type,
    )


def _transaction(row: wire.TransactionRow) -> Transaction:
    return Transaction(
        id=row.id,
        event=row.event,
        method=row.method,
        amount=row.amount,
        currency=row.currency.upper(),
        gateway=row.gateway,
        status=row.status,
        test=row.test,
        created=row.date_created,
        gateway_transaction_id=row.gateway_transaction_id,
        reference_id=row.reference_transaction_id,
    )


def _refunds(rows: Sequence[wire.RefundRow], where: str) -> tuple[Refund, ...]:
    paid: set[int] = set()
    for payment in (payment for row in rows for payment in row.payments):
        if payment.id in paid:
            raise WireError(f"{where}/refunds", f"the payment {payment.id} is there twice")
        paid.add(payment.id)
    return tuple(_refund(row) for row in rows)


def _refund(row: wire.RefundRow) -> Refund:
    return Refund(
        id=row.id,
        created=row.created,
        total_amount=row.total_amount,
        total_tax=row.total_tax,
        uses_merchant_override=row.uses_merchant_override_values,
        items=tuple(
            RefundItem(
                type=item.item_type.upper(),
                item_id=item.item_id,
                quantity=item.quantity,
                requested_amount=item.requested_amount,
                reason=item.reason,
                adjustments=tuple(RefundAdjustment(part.amount, part.description) for part in item.adjustments),
            )
            for item in row.items
        ),
        payments=tuple(
            RefundPayment(part.id, part.provider_id, part.amount, part.offline, part.is_declined, part.transaction_id)
            for part in row.payments
        ),
        reason=row.reason,
    )


def _address(row: wire.PostalAddress) -> Address:
    return Address(**row.model_dump())


def _b2b(data: object, where: str) -> B2BFacts | None:
    if data is None:
        return None
    row = parsed(wire.B2BOrder, data, f"{where}/b2b")
    return B2BFacts(
        company_id=row.company_id,
        po_number=row.po_number,
        is_invoice_order=row.is_invoice_order,
        invoice_number=row.invoice_number,
        invoices=tuple(InvoiceShare(share.number, share.amount) for share in row.invoices),
        read=row.read,
    )
