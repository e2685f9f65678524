"""Which hold keys a mapping answers: those that planning raises, for entries that exist now, and no others."""

import pytest

from ml_connector.config.mapped import is_mapped
from ml_connector.config.mapping import mapping_from

MAPPING = mapping_from(
    {
        "accounts": {"revenue": "41"},
        "taxes": [
            {"name": "MwSt 19", "rate": "19", "tax_code": "A1", "account": "22"},
            {"name": "VAT", "rate": "5", "class": "Food", "tax_code": "K1", "account": "22"},
        ],
        "payment_methods": [
            {"gateway": "stripe", "method": "credit_card", "account": "11", "text": "Stripe"},
            {"offline": "Bank Deposit", "account": "12", "text": "Bank"},
        ],
        "revenue_rules": [
            {"match": {"sku": "TEE"}, "account": "42"},
            {"match": {"category": 7}, "account": "43"},
        ],
        "fee_tax_codes": {"2": "A1"},
        "customers": {"one_time": "99"},
        "tax_groups": [{"codes": ["CS", "CC"], "code": "I1", "levels": ["CA", "CA1"]}],
        "items": {"TEE": "731"},
        "warehouses": {"01": 1},
    }
)


@pytest.mark.parametrize(
    ("key", "mapped"),
    [
        ("account|revenue", True),
        ("account|rounding", False),
        ("tax|MwSt 19|Default Tax Class|19", True),
        ("tax|MwSt 19|Default Tax Class|16", False),
        ("tax|VAT|Food|5", True),
        ("tax|VAT|Books|5", False),
        ("tax_account|A1", True),
        ("tax_account|ZZ", False),
        ("revenue|TEE", True),
        ("revenue|MUG", False),
        ("payment_method|stripe|credit_card", True),
        ("payment_method|adyen|credit_card", False),
        ("payment_method|Bank Deposit", True),
        ("payment_method|Check", False),
        ("fee_tax|2", True),
        ("fee_tax|3", False),
        ("customer|one_time", True),
        ("customer|collective", False),
        ("tax_group|CS+CC", True),
        ("tax_group|CS+CM", False),
        ("item|TEE", True),
        ("item|MUG", False),
        ("item|", False),
        ("warehouse|01", True),
        ("warehouse|02", False),
        ("something_new|x", True),
    ],
)
def test_a_key_is_mapped_when_an_entry_answers_it(key: str, mapped: bool) -> None:
    assert is_mapped(MAPPING, key) is mapped


def test_where_skus_are_item_codes_only_lines_without_one_are_missing() -> None:
    mapping = mapping_from({"items_match": "sku"})
    assert is_mapped(mapping, "item|MUG")
    assert not is_mapped(mapping, "item|")
