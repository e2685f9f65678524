"""Mapping and policy as they are written: what is accepted, what is refused, the way back, and their pages."""

import contextlib
import json
from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ml_connector.config.mapping import (
    MappingError,
    MappingFile,
    PaymentMethodEntry,
    RevenueMatch,
    TaxEntry,
    TaxGroupEntry,
    UntaxedEntry,
    mapping_from,
    mapping_schema,
    mapping_to_dict,
    mapping_warnings,
)
from ml_connector.config.policy import KEYS, PolicyError, frozen_changes, policy_from, policy_schema, policy_to_dict
from ml_connector.domain.documents import Role
from ml_connector.domain.policy import Policy

DOCS = Path(__file__).parents[2] / "docs"

WRITTEN = {
    "accounts": {"revenue": "410000", "receivable": 121000},
    "taxes": [{"name": "MwSt", "class": "Food", "rate": 7.0, "tax_code": "A2", "account": "177100", "country": "DE"}],
    "tax_groups": [{"codes": ["CS", "CC"], "code": "I1", "levels": ["CA", "LA"]}],
    "untaxed_code": "A0",
    "untaxed_rules": [{"tax_code": "RC", "countries": ["FR"], "needs_vat_number": True}],
    "fee_tax_codes": {"5": "A1"},
    "payment_methods": [{"gateway": "stripe", "method": "credit_card", "account": "136010", "text": "Stripe"}],
    "customers": {"one_time": "999000", "individual": {"77": "100177"}, "companies": {"4401": "200440"}},
    "revenue_rules": [
        {"match": {"brand": "Volt", "category": 23}, "account": "410100", "dimension": {"profit_center": "PC"}}
    ],
    "dimensions": {"shipping_income": {"profit_center": "PC-WEB"}},
    "default_dimension": {"segment": "WEB"},
    "items": {"TEE": "731"},
    "items_match": "sku",
    "default_warehouse": "01",
    "warehouses": {"01": 1, "WEB": 3},
}


class TestMapping:
    def test_every_table_is_read_and_written_back(self) -> None:
        mapping = mapping_from(WRITTEN, version=4)
        assert mapping.version == 4
        assert mapping.accounts["receivable"] == "121000"
        assert mapping.taxes[0].rate == Decimal("7.0")
        assert mapping.taxes[0].tax_class == "Food"
        assert mapping.revenue_rules[0].dimension.profit_center == "PC"
        back = mapping_to_dict(mapping)
        assert json.loads(json.dumps(back)) == back
        assert mapping_from(back, version=4) == mapping
        assert set(back) == set(WRITTEN)
        assert mapping_to_dict(mapping_from({})) == {}

    @pytest.mark.parametrize(
        ("data", "path"),
        [
            ({"acounts": {}}, "acounts"),
            ({"accounts": {"revnue": "1"}}, "accounts/revnue"),
            ({"accounts": {"revenue": 1.5}}, "accounts/revenue"),
            ({"taxes": [{"name": "x", "rate": "much", "tax_code": "A", "account": "1"}]}, "taxes/0/rate"),
            ({"taxes": [{"name": "x", "rate": "7", "account": "1"}]}, "taxes/0/tax_code"),
            ({"payment_methods": [{"gateway": "stripe"}]}, "payment_methods/0/account"),
            ({"revenue_rules": [{"match": {"colour": "red"}, "account": "1"}]}, "revenue_rules/0/match/colour"),
            ({"customers": {"individual": ["77"]}}, "customers/individual"),
            ({"items_match": "name"}, "items_match"),
            ({"warehouses": {"01": "front"}}, "warehouses/01"),
            ({"warehouses": {"01": 0}}, "warehouses/01"),
        ],
    )
    def test_errors_name_the_entry(self, data: dict[str, object], path: str) -> None:
        with pytest.raises(MappingError) as caught:
            mapping_from(data)
        assert caught.value.path == path
        assert path in str(caught.value)

    def test_what_is_odd_is_said_and_accepted(self) -> None:
        taxes = [{"name": name, "rate": "7", "tax_code": "A2", "account": name} for name in ("1771", "1772")]
        odd = {"dimensions": {"revenue": {"cost_center": "CC"}, "rounding": {"cost_center": "CC"}}, "taxes": taxes}
        found = mapping_warnings(mapping_from(odd))
        assert [warning.partition(":")[0] for warning in found] == ["dimensions/revenue", "taxes"]
        assert mapping_warnings(mapping_from(WRITTEN)) == ()

    def test_the_schema_takes_what_is_taken(self) -> None:
        validator = Draft202012Validator(mapping_schema())
        assert not list(validator.iter_errors(WRITTEN))
        assert not list(validator.iter_errors(mapping_to_dict(mapping_from(WRITTEN))))
        assert list(validator.iter_errors({"acounts": {}}))

    def test_every_table_and_field_has_its_place_on_the_page(self) -> None:
        page = (DOCS / "mapping.md").read_text(encoding="utf-8")
        models = (MappingFile, TaxEntry, TaxGroupEntry, UntaxedEntry, PaymentMethodEntry, RevenueMatch)
        names = {field.alias or name for model in models for name, field in model.model_fields.items()}
        names |= {role.value for role in Role}
        assert {name for name in names if f"`{name}`" not in page} == set()


class TestPolicy:
    def test_defaults_are_the_domains(self) -> None:
        assert policy_from({"reference.tag": "S1"}) == Policy(reference_tag="S1")

    def test_every_key_of_the_domain_can_be_written(self) -> None:
        assert {key.attribute for key in KEYS.values()} == {field.name for field in fields(Policy)} - {"version"}

    def test_there_and_back(self) -> None:
        policy = policy_from(
            {
                "reference.tag": "S01",
                "posting.cut_over": "2026-01-01",
                "posting.held_statuses": [12, 13],
                "offline_methods": {"Cheque": "wait"},
                "dates.time_zone": "Europe/Berlin",
                "rounding.tolerance_minor": 1,
            }
        )
        assert policy.posting_cut_over == date(2026, 1, 1)
        assert policy_from(policy_to_dict(policy)) == policy
        assert not list(Draft202012Validator(policy_schema()).iter_errors(policy_to_dict(policy)))

    @pytest.mark.parametrize(
        ("key", "value", "named"),
        [
            ("posting.triger", "capture", "posting.trigger"),
            ("posting.trigger", "shipped", "capture, placement, shipment, completion"),
            ("rounding.tolerance_minor", "5", "minor units"),
            ("rounding.tolerance_minor", -1, "minor units"),
            ("posting.held_statuses", 12, "list"),
            ("posting.cut_over", "soon", "YYYY-MM-DD"),
            ("dates.time_zone", "+02:00", "IANA"),
            ("offline_methods", {"Cheque": "paid"}, "paid_by_status"),
            ("stock.safety", -1, "units"),
            ("stock.staleness_minutes", 0, "minutes"),
            ("stock.oversell", "zero", "floor_to_zero"),
            ("sales.document", "quote", "invoice, order, delivery"),
            ("reference.tag", "s1", "capital"),
            ("reference.tag", "STORE", "capital"),
        ],
    )
    def test_what_is_wrong_is_refused_with_what_is_allowed(self, key: str, value: object, named: str) -> None:
        with pytest.raises(PolicyError) as caught:
            policy_from({"reference.tag": "S1", key: value})
        assert caught.value.key == key
        assert named in str(caught.value)

    def test_the_tag_is_required(self) -> None:
        with pytest.raises(PolicyError, match=r"reference\.tag"):
            policy_from({})

    def test_what_is_frozen_is_told(self) -> None:
        before, after = Policy("S1"), Policy("S2", posting_settlement="one_step", posting_lines="per_line")
        assert frozen_changes(before, after) == ("reference.tag", "posting.settlement")
        assert frozen_changes(before, Policy("S1", posting_lines="per_line")) == ()

    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.none() | st.text() | st.integers() | st.booleans()))
    def test_anything_else_is_refused_not_crashed_on(self, data: dict[str, object]) -> None:
        with contextlib.suppress(PolicyError):
            policy = policy_from(data)
            assert policy_from(policy_to_dict(policy)) == policy

    def test_every_key_and_value_has_its_place_on_the_page(self) -> None:
        page = (DOCS / "policy.md").read_text(encoding="utf-8")
        assert {name for name in KEYS if f"`{name}`" not in page} == set()
        values = {str(value) for key in KEYS.values() for value in key.schema.get("enum", ())}
        assert {value for value in values if f"`{value}`" not in page} == set()
