"""Digests of the source facts that a document is planned from: amounts, lines, taxes, customer, currency.

Dates, texts and statuses do not count, nor what a mapping looks at in the catalogue or the customer's master: only a
change of the order itself asks for an amendment.
"""

import hashlib
import json
from decimal import Decimal

from ml_connector.domain.orders import OrderSnapshot, Refund, Tax3, Transaction
from ml_connector.planning.lookups import plain


def digest(*facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, default=_value, sort_keys=True).encode()).hexdigest()


def order_digest(snapshot: OrderSnapshot, customer: str, captures: tuple[Transaction, ...] = ()) -> str:
    """`customer`: the buyer, as the store names it. `captures`: transactions that the order document itself carries."""
    order = snapshot.order
    return digest(
        "order",
        order.currency,
        customer,
        order.total,
        order.store_credit_amount,
        order.gift_certificate_amount,
        [
            [
                line.id,
                line.sku,
                line.type,
                line.quantity,
                line.totals,
                line.discounted_total_inc_tax,
                line.wrapping,
                [[part.id, part.code, part.amount] for part in line.discounts],
            ]
            for line in sorted(snapshot.lines, key=lambda line: line.id)
        ],
        [
            [part.id, part.country_iso2, part.shipping, part.handling]
            for part in sorted(snapshot.addresses, key=lambda part: part.id)
        ],
        [order.shipping, order.handling, order.wrapping, order.discount_amount, order.coupon_discount],
        sorted(
            [row.item_type, row.line_id or 0, row.address_id, row.name, row.tax_class, row.rate, row.amount]
            for row in snapshot.taxes
        ),
        [[fee.id, fee.cost, fee.tax_class_id or 0] for fee in sorted(snapshot.fees, key=lambda fee: fee.id)],
        sorted([row.id, row.amount] for row in captures),
    )


def transaction_digest(transaction: Transaction, *more: object) -> str:
    return digest("transaction", transaction.id, transaction.amount, transaction.currency, transaction.gateway, *more)


def refund_digest(refund: Refund) -> str:
    return digest(
        "refund",
        refund.id,
        refund.total_amount,
        refund.total_tax,
        refund.uses_merchant_override,
        [
            [
                item.type,
                item.item_id,
                item.quantity,
                item.requested_amount,
                [part.amount for part in item.adjustments],
            ]
            for item in refund.items
        ],
        [[payment.id, payment.provider_id, payment.amount, payment.is_declined] for payment in refund.payments],
    )


def _value(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Tax3):
        return [plain(value.ex_tax), plain(value.inc_tax), plain(value.tax)]
    raise TypeError(f"{value!r} has no digest")
