"""BigCommerce payloads as the API really sends them: loose types, absent objects, two kinds of dates, misspellings."""

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_connector.connectors.bigcommerce.wire import WireError, customer_from, snapshot_from, store_from

ORDER: dict[str, Any] = {
    "id": 10250,
    "customer_id": 77,
    "date_created": "Wed, 04 Mar 2026 15:20:00 +0000",
    "date_modified": "",
    "date_shipped": "",
    "status_id": 11,
    "subtotal_ex_tax": "60.0000",
    "subtotal_inc_tax": "64.9500",
    "total_ex_tax": "60.0000",
    "total_inc_tax": 64.95,
    "total_tax": "4.9500",
    "default_currency_code": "USD",
    "billing_address": {},
    "products": {"url": "link", "resource": "/orders/10250/products"},
}
ORDER["total_inc_tax"] = Decimal("64.95")
PRODUCT: dict[str, Any] = {
    "id": 501,
    "quantity": "3",
    "total_ex_tax": "60.0000",
    "total_inc_tax": "64.9500",
    "total_tax": "4.9500",
    "discounted_total_inc_tax": "",
    "applied_discounts": None,
    "parent_order_product_id": None,
    "brand": None,
}


def parts(**changes: object) -> dict[str, object]:
    store = {"id": "abc123", "timezone": {"name": "America/Chicago"}, "currency": "USD"}
    return {"store": store, "order": ORDER, "products": [PRODUCT], **changes}


def test_what_is_absent_has_a_plain_value() -> None:
    snapshot = snapshot_from(parts(shipping_addresses=None, coupons=[], taxes="", fees={}, transactions=None))
    order = snapshot.order
    assert order.created == order.modified == datetime(2026, 3, 4, 15, 20, tzinfo=UTC)
    assert order.shipped is None
    assert order.total.inc_tax == Decimal("64.95")
    assert order.handling.inc_tax == 0
    assert order.store_to_transactional_rate is None
    assert order.billing.email == ""
    line = snapshot.lines[0]
    assert (line.quantity, line.discounted_total_inc_tax, line.parent_line_id) == (3, None, None)
    assert snapshot.store.time_zone == "America/Chicago"
    assert snapshot.b2b is None


def test_fees_come_wrapped_and_misspelt() -> None:
    fee = {"id": 1, "display_name_merchant": "Insurance", "cost_exc_tax": "4.00", "cost_inc_tax": "4.00"}
    for fees in ([fee], {"fees": [fee]}):
        found = snapshot_from(parts(fees=fees)).fees[0]
        assert (found.name, found.cost.ex_tax, found.cost.tax) == ("Insurance", Decimal("4.00"), 0)


def test_transactions_and_refunds_have_iso_dates_and_numbers() -> None:
    transaction = {
        "id": 9010023456,
        "event": "purchase",
        "method": "credit_card",
        "amount": Decimal("64.95"),
        "currency": "usd",
        "gateway": "braintree",
        "status": "ok",
        "test": False,
        "date_created": "2026-03-04T15:20:05+01:00",
        "reference_transaction_id": None,
    }
    refund = {
        "id": 31,
        "created": "2026-03-10T10:00:00Z",
        "total_amount": 5,
        "total_tax": "0.41",
        "items": [{"item_type": "product", "item_id": 501, "quantity": 1, "requested_amount": None}],
        "payments": [{"id": 77, "provider_id": "braintree", "amount": 5, "is_declined": True, "transaction_id": 12}],
    }
    snapshot = snapshot_from(parts(transactions=[transaction], refunds=[refund]))
    row, back = snapshot.transactions[0], snapshot.refunds[0]
    assert (row.id, row.currency, row.amount) == ("9010023456", "USD", Decimal("64.95"))
    assert row.created == datetime(2026, 3, 4, 14, 20, 5, tzinfo=UTC)
    assert (back.items[0].type, back.items[0].requested_amount) == ("PRODUCT", None)
    assert (back.payments[0].is_declined, back.payments[0].transaction_id) == (True, "12")


def test_tax_rows_name_their_line_in_a_string() -> None:
    row = {"id": 1, "name": "TX", "class": "Food", "rate": "8.2500", "line_amount": "4.95", "order_product_id": "501"}
    tax = snapshot_from(parts(taxes=[row])).taxes[0]
    assert (tax.tax_class, tax.rate, tax.line_id, tax.item_type) == ("Food", Decimal("8.25"), 501, "item")


def test_b2b_flags_are_strings() -> None:
    b2b = {"isInvoiceOrder": "1", "invoiceNumber": "INV-1", "companyId": 4401, "poNumber": None}
    facts = snapshot_from(parts(b2b=b2b)).b2b
    assert facts is not None
    assert (facts.is_invoice_order, facts.company_id, facts.po_number, facts.read) == (True, "4401", "", True)
    unread = snapshot_from(parts(b2b={"isInvoiceOrder": "0", "read": False})).b2b
    assert unread is not None
    assert (unread.is_invoice_order, unread.read) == (False, False)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"order": {**ORDER, "total_inc_tax": None}}, "order 10250/total_inc_tax"),
        ({"order": {**ORDER, "total_tax": "4,95"}}, "order 10250/total_tax"),
        ({"order": {**ORDER, "total_ex_tax": 60.0}}, "order 10250/total_ex_tax"),
        ({"order": {**ORDER, "total_ex_tax": "NaN"}}, "order 10250/total_ex_tax"),
        ({"order": {**ORDER, "date_created": "yesterday"}}, "order 10250/date_created"),
        ({"order": {key: value for key, value in ORDER.items() if key != "status_id"}}, "order 10250/status_id"),
        ({"order": {**ORDER, "default_currency_code": "US"}}, "order 10250/default_currency_code"),
        ({"order": None}, "order"),
        ({"products": [{**PRODUCT, "quantity": "1.5"}]}, "order 10250/products[501]/quantity"),
        ({"products": "many"}, "order 10250/products"),
        ({"refunds": [{"id": 3}]}, "order 10250/refunds[3]/created"),
    ],
)
def test_unusable_data_names_the_order_and_the_field(changes: dict[str, object], path: str) -> None:
    with pytest.raises(WireError) as caught:
        snapshot_from(parts(**changes))
    assert caught.value.path == path


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from([*ORDER, "billing_address"]),
        st.none() | st.text() | st.booleans() | st.floats() | st.integers(),
    )
)
def test_any_garbage_in_an_order_is_a_named_error(garbage: dict[str, object]) -> None:
    with contextlib.suppress(WireError):
        snapshot = snapshot_from(parts(order={**ORDER, **garbage}))
        assert isinstance(snapshot.order.total.inc_tax, Decimal)


def test_a_customer_with_addresses_credit_and_a_vat_number() -> None:
    row = {
        "id": 77,
        "email": "ana@example.net",
        "first_name": "Ana",
        "customer_group_id": 0,
        "date_created": "2026-03-01T10:00:00Z",
        "addresses": [
            {"address1": "1 Main St", "state_or_province": "Texas", "postal_code": "1", "country_code": "US"}
        ],
        "store_credit_amounts": [{"amount": Decimal("5.5")}, {"amount": "1"}],
        "form_fields": [{"name": "VAT ID", "value": " FR123 ", "customer_id": 77}],
    }
    customer = customer_from(row, vat_form_field="VAT ID")
    assert (customer.vat_number, customer.store_credit) == ("FR123", Decimal("6.5"))
    assert (customer.addresses[0].street_1, customer.addresses[0].country_iso2) == ("1 Main St", "US")
    assert customer_from(row).vat_number == ""
    order = snapshot_from(parts(customer=row, vat_form_field="VAT ID")).order
    assert order.customer_vat_number == "FR123"
    with pytest.raises(WireError, match="customer 78"):
        customer_from({"id": 78})


def test_a_store_without_zone_is_in_utc() -> None:
    assert store_from({"currency": "EUR", "timezone": ""}).time_zone == "UTC"
