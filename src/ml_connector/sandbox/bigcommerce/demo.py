"""The named profile `demo`: one order for everything that a first look should show, and a later story."""

from ml_connector.sandbox.bigcommerce.basket import Recipe

TO_EDIT, TO_CANCEL = "to_edit", "to_cancel"


def _recipe(kind: str, market: str, features: str = "", tag: str = "") -> Recipe:
    return Recipe(kind, market, frozenset(features.split()), tag)


DEMO = (
    _recipe("paid", "us_tx"),
    _recipe("paid", "us_tx", "guest"),
    _recipe("paid", "us_tx", "percent_coupon promotion"),
    _recipe("paid", "us_tx", "third_off several"),
    _recipe("paid", "us_tx", "handling wrapping fee"),
    _recipe("paid", "us_tx", "gift_certificate"),
    _recipe("paid", "us_tx", "free guest"),
    _recipe("paid", "us_tx", "bundle manual_discount"),
    _recipe("paid", "us_tx", "digital guest"),
    _recipe("paid", "us_tx", "long"),
    _recipe("paid", "us_tx", "several", TO_EDIT),
    _recipe("on_account", "us_tx", "", TO_CANCEL),
    _recipe("paid", "us_ca"),
    _recipe("paid", "us_ca", "shipping_coupon guest"),
    _recipe("paid", "us_ca", "free_shipping_coupon"),
    _recipe("paid", "de"),
    _recipe("paid", "de", "guest promotion"),
    _recipe("paid", "de", "fixed_coupon"),
    _recipe("paid", "de", "multi_address handling"),
    _recipe("bank_paid", "de", "guest"),
    _recipe("paid", "jp"),
    _recipe("paid", "jp", "percent_coupon guest"),
    _recipe("paid", "kw"),
    _recipe("paid", "kw", "item_coupon"),
    _recipe("paid", "ca_on", "display_currency"),
    _recipe("shipped", "ca_on", "guest"),
    _recipe("two_providers", "us_tx"),
    _recipe("authorised_only", "us_tx"),
    _recipe("partly_captured", "us_tx", "guest"),
    _recipe("two_captures", "de"),
    _recipe("gift_redeemed", "us_tx"),
    _recipe("store_credit", "us_tx"),
    _recipe("three_tenders", "us_tx"),
    _recipe("refund_quantity", "us_tx", "several"),
    _recipe("refund_shipping", "de"),
    _recipe("refund_amount", "us_tx"),
    _recipe("refund_restocking", "us_tx", "several"),
    _recipe("refund_several", "us_tx", "several"),
    _recipe("refund_full", "de", "guest"),
    _recipe("refund_full", "jp"),
    _recipe("refund_credit", "us_tx", "several"),
    _recipe("refund_declined", "us_tx", "several"),
    _recipe("incomplete", "us_tx", "guest"),
    _recipe("declined", "us_tx", "guest"),
)
