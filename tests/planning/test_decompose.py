"""From the store's figures to parts: basis, discounts, shipping coupons, vouchers, fees, tax codes, roles."""

from dataclasses import replace
from decimal import Decimal

import pytest

from ml_connector.domain.documents import Held
from ml_connector.domain.mapping import UntaxedRule
from ml_connector.domain.orders import OrderFee, OrderSnapshot, Tax3, TaxRow
from ml_connector.planning.identity import identity_of
from tests.planning.store import (
    MAPPING,
    D,
    Item,
    StoreOrder,
    a_mapping,
    a_policy,
    captured,
    documents,
    due,
    held,
    of_role,
    plan,
)

COUPON = ("total-coupon", "TEN", D("6.00"))
PROMOTION = ("auto-promotion", "", D("3.00"))
MANUAL = ("manual-discount", "", D("1.50"))


def entry(order: StoreOrder | OrderSnapshot, **policy: object):
    snapshot = order if isinstance(order, OrderSnapshot) else order.snapshot()
    return documents(plan(captured(snapshot), a_policy(**policy)))[0]


def test_the_basis_is_found_in_the_numbers() -> None:
    discounted = (Item(discounts=(COUPON,)),)
    assert identity_of(StoreOrder(items=discounted, inclusive=True).snapshot()).basis == "inclusive"
    assert identity_of(StoreOrder(items=discounted).snapshot()).basis == "exclusive"
    assert identity_of(StoreOrder(items=(Item(rate="none"),), charge_rate="none").snapshot()).basis == "either"


@pytest.mark.parametrize("inclusive", [True, False])
def test_old_orders_without_a_discounted_total_are_rebuilt_by_the_basis(inclusive: bool) -> None:
    order = StoreOrder(items=(Item(discounts=(COUPON, PROMOTION)), Item(rate="high")), inclusive=inclusive)
    snapshot = order.snapshot()
    old = replace(snapshot, lines=tuple(replace(line, discounted_total_inc_tax=None) for line in snapshot.lines))
    assert entry(old).lines == entry(snapshot).lines


def test_each_discount_has_its_role() -> None:
    found = [entry(StoreOrder(items=(Item(discounts=(COUPON, PROMOTION, MANUAL)),)))]
    assert of_role(found, "discount_coupon") == D("6.00")
    assert of_role(found, "discount_promotion") == D("3.00")
    assert of_role(found, "discount_manual") == D("1.50")
    assert of_role(found, "revenue") == D("-60.00")


def test_net_presentation_needs_no_discount_account() -> None:
    accounts = {role: account for role, account in MAPPING["accounts"].items() if not role.startswith("discount")}
    snapshot = captured(StoreOrder(items=(Item(discounts=(COUPON,)),)).snapshot())
    net = plan(snapshot, a_policy(discounts__presentation="net"), a_mapping(accounts=accounts))
    assert of_role(documents(net), "revenue") == D("-54.00")
    gross = held(plan(snapshot, mapping=a_mapping(accounts=accounts)))
    assert gross.missing == (("account", "discount_coupon"),)


@pytest.mark.parametrize("inclusive", [True, False])
def test_a_coupon_on_shipping_carries_the_code_of_shipping(inclusive: bool) -> None:
    order = StoreOrder(shipping=(D("8.00"), D("4.00")), shipping_coupon=D("3.00"), inclusive=inclusive)
    found = entry(order)
    coupons = [line for line in found.lines if line.role == "discount_coupon"]
    assert [line.tax_code for line in coupons] == ["O1"]
    assert coupons[0].amount == D("3.00")
    assert of_role([found], "rounding") == 0


def test_a_coupon_with_tax_that_lowered_the_tax_of_shipping_is_taken_net() -> None:
    snapshot = StoreOrder(shipping=(D("10.83"),), shipping_coupon=D("10.83"), inclusive=True).snapshot()
    # The store computed the tax of shipping after the coupon: none.
    rows = tuple(replace(row, amount=D(0)) if row.item_type == "shipping" else row for row in snapshot.taxes)
    total = snapshot.order.total
    less = replace(total, tax=total.tax - D("0.83"), ex_tax=total.ex_tax + D("0.83"))
    found = entry(replace(snapshot, taxes=rows, order=replace(snapshot.order, total=less)))
    assert of_role([found], "discount_coupon") == D("10.00")
    assert of_role([found], "rounding") == 0


def test_discounts_beyond_the_lines_without_a_shipping_coupon_are_a_residue() -> None:
    snapshot = StoreOrder(shipping_coupon=D("3.00")).snapshot(coupons=())
    assert held(plan(captured(snapshot))).code == "totals_mismatch"


def test_free_shipping_that_set_the_cost_to_zero_takes_nothing_more() -> None:
    snapshot = StoreOrder(shipping=(D(0),)).snapshot()
    assert of_role([entry(snapshot)], "discount_coupon") == 0


def test_a_residue_of_whole_units_is_seen_as_one_beside_endless_shares() -> None:
    discounts = tuple((f"auto-promotion {n}", "", amount) for n, amount in enumerate((D("0.1"), D("0.2"), D("0.4"))))
    order = StoreOrder(items=tuple(Item(price=D("1234.57"), discounts=discounts) for _ in range(7)), residue=2)
    assert of_role([entry(replace(order, inclusive=True))], "rounding") == D("-0.02")
    assert of_role([entry(order)], "rounding") == D("-0.02")


def test_bundle_children_have_no_part() -> None:
    snapshot = StoreOrder(items=(Item(), Item(price=D(0)))).snapshot()
    found = entry(snapshot, posting__lines="per_line")
    assert [line.text for line in found.lines if line.role == "revenue"] == ["SKU-0 x3"]


class TestGiftCertificates:
    SOLD = StoreOrder(items=(Item(), Item(price=D("50.00"), quantity=1, rate="none", type="giftcertificate")))

    def test_a_sold_certificate_is_a_debt(self) -> None:
        found = [entry(self.SOLD)]
        assert of_role(found, "gift_certificate_liability") == D("-50.00")
        assert of_role(found, "revenue") == D("-60.00")

    def test_a_discount_on_it_lowers_the_debt(self) -> None:
        item = Item(price=D("50.00"), quantity=1, rate="none", type="giftcertificate", discounts=(PROMOTION,))
        found = [entry(StoreOrder(items=(Item(), item)))]
        assert of_role(found, "gift_certificate_liability") == D("-47.00")
        assert of_role(found, "discount_promotion") == 0

    def test_a_taxed_one_is_held_or_revenue(self) -> None:
        order = StoreOrder(items=(Item(price=D("50.00"), quantity=1, type="giftcertificate"),))
        assert held(plan(captured(order.snapshot()))).code == "voucher_taxed"
        found = [entry(order, gift_certificates__voucher="single_purpose")]
        assert of_role(found, "revenue") == D("-50.00")
        assert of_role(found, "tax_payable") == -order.snapshot().order.total.tax

    def test_a_redeemed_single_purpose_one_is_held(self) -> None:
        snapshot = StoreOrder(gift_certificate=D("5.00")).snapshot()
        result = plan(captured(snapshot), a_policy(gift_certificates__voucher="single_purpose"))
        assert held(result).code == "single_purpose_redeemed"


class TestTax:
    def test_overridden_totals_are_held(self) -> None:
        snapshot = StoreOrder().snapshot()
        total = snapshot.order.total
        overridden = replace(total, ex_tax=total.inc_tax, tax=D(0))
        bare = replace(snapshot, order=replace(snapshot.order, total=overridden))
        assert held(plan(captured(bare))).code == "tax_overridden"
        wrong = replace(snapshot, order=replace(snapshot.order, total=replace(total, tax=total.tax + 1)))
        assert held(plan(captured(wrong))).code == "tax_overridden"

    def test_rows_that_do_not_reach_the_total_are_held_with_both_sums(self) -> None:
        snapshot = StoreOrder().snapshot()
        rows = snapshot.taxes[:-1]
        result = held(plan(captured(replace(snapshot, taxes=rows))))
        assert result.code == "tax_mismatch"
        assert result.facts is not None
        assert (result.facts["store_tax"], result.facts["tax_rows"]) == ("5.61", "4.95")

    def test_a_small_difference_of_rows_goes_to_the_codes(self) -> None:
        snapshot = StoreOrder().snapshot()
        rows = (replace(snapshot.taxes[0], amount=snapshot.taxes[0].amount + D("0.02")), *snapshot.taxes[1:])
        found = [entry(replace(snapshot, taxes=rows))]
        assert of_role(found, "tax_payable") == -snapshot.order.total.tax
        assert of_role(found, "rounding") == 0

    def test_an_unknown_rate_is_unmapped_with_its_key(self) -> None:
        snapshot = StoreOrder().snapshot()
        rows = tuple(replace(row, name="New Tax") for row in snapshot.taxes)
        result = held(plan(captured(replace(snapshot, taxes=rows))))
        assert result.key == "tax|New Tax|Default|8.25"

    def test_all_missing_entries_are_named_at_once(self) -> None:
        accounts = {"receivable": "121000", "shipping_income": "411000"}
        mapping = a_mapping(accounts=accounts, taxes=[], payment_methods=[])
        result = held(plan(captured(StoreOrder().snapshot()), mapping=mapping))
        assert result.missing == (
            ("account", "revenue"),
            ("tax", "state|Default|8.25"),
            ("payment_method", "braintree|credit_card"),
        )
        assert result.key == "account|revenue"
        assert result.facts is not None
        assert (result.facts["kind"], result.facts["key"]) == ("account", "revenue")
        assert result.facts["missing 3"] == "payment_method|braintree|credit_card"

    def test_a_charge_row_without_address_belongs_to_the_only_one(self) -> None:
        snapshot = StoreOrder().snapshot()
        rows = tuple(replace(row, address_id=0) for row in snapshot.taxes)
        found = entry(replace(snapshot, taxes=rows))
        assert {line.tax_code for line in found.lines if line.role == "shipping_income"} == {"O1"}

    def test_class_country_and_state_narrow_a_rule(self) -> None:
        rules = [
            {"name": "state", "rate": "8.25", "class": "Food", "tax_code": "F1", "account": "1"},
            {"name": "state", "rate": "8.25", "country": "DE", "tax_code": "G1", "account": "2"},
            {"name": "state", "rate": "8.250", "state": "texas", "country": "us", "tax_code": "T1", "account": "3"},
        ]
        found = documents(plan(captured(StoreOrder().snapshot()), mapping=a_mapping(taxes=rules)))[0]
        assert {line.tax_code for line in found.lines if line.role == "tax_payable"} == {"T1"}

    def test_several_codes_of_one_part_are_joined_in_the_order_of_the_rows(self) -> None:
        found = entry(StoreOrder(jurisdictions=True))
        assert {line.tax_code for line in found.lines if line.role == "revenue"} == {"O1+O2"}
        assert {line.tax_code for line in found.lines if line.role == "tax_payable"} == {"O1", "O2"}

    def test_a_zero_row_without_rule_counts_as_none(self) -> None:
        snapshot = StoreOrder(items=(Item(rate="none"),)).snapshot()
        rows = (*snapshot.taxes, TaxRow("Exempt", "Default", D(0), D(0), 61, 501, "item"))
        found = entry(replace(snapshot, taxes=rows))
        assert {line.tax_code for line in found.lines if line.role == "revenue"} == {"A0"}


class TestUntaxed:
    RULES = (
        UntaxedRule("EX", countries=("DE", "FR"), territory=False),
        UntaxedRule("RC", countries=("FR",), needs_vat_number=True),
        UntaxedRule("E7", exempt_category="NGO"),
        UntaxedRule("S0", line_type="shipping"),
        UntaxedRule("DG", line_type="digital"),
    )

    @pytest.mark.parametrize(
        ("country", "changes", "kind", "revenue", "shipping"),
        [
            ("US", {}, "physical", "EX", "EX"),
            ("FR", {"customer_vat_number": "FR123"}, "physical", "RC", "RC"),
            ("FR", {}, "physical", "U0", "S0"),
            ("DE", {"tax_exempt_category": "NGO"}, "physical", "E7", "E7"),
            ("DE", {}, "digital", "DG", "S0"),
        ],
    )
    def test_the_first_rule_that_fits_gives_the_code(
        self, country: str, changes: dict[str, str], kind: str, revenue: str, shipping: str
    ) -> None:
        order = StoreOrder(items=(Item(rate="none", type=kind),), charge_rate="none", changes=dict(changes))
        snapshot = order.snapshot()
        snapshot = replace(snapshot, addresses=tuple(replace(row, country_iso2=country) for row in snapshot.addresses))
        mapping = replace(a_mapping(untaxed_code="U0"), untaxed_rules=self.RULES)
        found = documents(plan(captured(snapshot), mapping=mapping))[0]
        codes = {line.role.value: line.tax_code for line in found.lines}
        assert (codes["revenue"], codes["shipping_income"]) == (revenue, shipping)


class TestFees:
    def order(self, cost: Tax3, tax_class: int | None) -> OrderSnapshot:
        snapshot = StoreOrder().snapshot()
        total = snapshot.order.total
        grown = Tax3(total.ex_tax + cost.ex_tax, total.inc_tax + cost.inc_tax, total.tax + cost.tax)
        fees = (OrderFee(1, "Insurance", cost, tax_class),)
        return captured(replace(snapshot, fees=fees, order=replace(snapshot.order, total=grown)))

    def test_tax_of_a_fee_that_no_row_names_goes_to_the_code_of_its_class(self) -> None:
        found = documents(plan(self.order(Tax3(D("10.00"), D("11.90"), D("1.90")), 5)))[0]
        taxes = {line.tax_code: line.amount for line in found.lines if line.role == "tax_payable"}
        assert taxes == {"O1": D("5.61"), "A1": D("1.90")}
        assert [line.tax_code for line in found.lines if line.role == "fee_income"] == ["A1"]

    def test_an_unknown_class_is_unmapped(self) -> None:
        result = held(plan(self.order(Tax3(D("10.00"), D("11.90"), D("1.90")), 6)))
        assert result.key == "fee_tax|6"

    def test_an_untaxed_fee_carries_the_untaxed_code(self) -> None:
        found = documents(plan(self.order(Tax3(D("4.00"), D("4.00"), D(0)), None)))[0]
        assert [line.tax_code for line in found.lines if line.role == "fee_income"] == ["A0"]


class TestRevenueRules:
    RULES = [  # noqa: RUF012 a constant of the test
        {"match": {"sku": "HELM"}, "account": "410300"},
        {"match": {"brand": "Volt", "channel": 1}, "account": "410100", "dimension": {"profit_center": "PC-BIKE"}},
        {"match": {"channel": 2}, "account": "410900"},
    ]

    def test_the_first_rule_that_fits_wins(self) -> None:
        items = (Item(sku="HELM", brand="Volt"), Item(brand="Volt"), Item())
        mapping = a_mapping(
            revenue_rules=self.RULES,
            dimensions={"revenue": {"cost_center": "CC-1"}},
            default_dimension={"profit_center": "PC-ALL", "segment": "WEB"},
        )
        found = documents(plan(captured(StoreOrder(items=items).snapshot()), mapping=mapping))[0]
        revenue = {line.account: line.dimension for line in found.lines if line.role == "revenue"}
        assert set(revenue) == {"410300", "410100", "410000"}
        assert revenue["410100"].profit_center == "PC-BIKE"
        assert revenue["410000"].profit_center == "PC-ALL"
        assert {dimension.cost_center for dimension in revenue.values()} == {"CC-1"}
        receivable = next(line for line in found.lines if line.role == "receivable")
        assert receivable.dimension.profit_center == ""

    def test_category_and_group_match_too(self) -> None:
        rules = [
            {"match": {"category": 23}, "account": "410500"},
            {"match": {"customer_group": 9}, "account": "410600"},
        ]
        snapshot = StoreOrder(changes={"customer_group_id": 9}).snapshot()
        categorised = replace(snapshot, lines=(replace(snapshot.lines[0], categories=(7, 23)),))
        for order, account in ((categorised, "410500"), (snapshot, "410600")):
            found = documents(plan(captured(order), mapping=a_mapping(revenue_rules=rules)))[0]
            assert {line.account for line in found.lines if line.role == "revenue"} == {account}

    def test_a_category_that_nobody_knows_is_missed_not_passed_over(self) -> None:
        by_category = {"match": {"category": 23}, "account": "410500"}
        snapshot = captured(StoreOrder().snapshot())
        unknown = replace(snapshot, lines=(replace(snapshot.lines[0], categories=None),))
        sku = unknown.lines[0].sku
        held = plan(unknown, mapping=a_mapping(revenue_rules=[by_category]))
        assert isinstance(held, Held)
        assert held.missing == (("revenue", sku),)
        by_sku = {"match": {"sku": sku}, "account": "410700"}
        found = documents(plan(unknown, mapping=a_mapping(revenue_rules=[by_sku, by_category])))[0]
        assert {line.account for line in found.lines if line.role == "revenue"} == {"410700"}


def test_texts_never_carry_an_e_mail_and_fit() -> None:
    item = Item(sku="LONG-" * 20, discounts=(("auto-promotion", "", D("1.00")),))
    snapshot = StoreOrder(items=(item,)).snapshot()
    discount = replace(snapshot.lines[0].discounts[0], name="for ana@example.net only")
    snapshot = replace(snapshot, lines=(replace(snapshot.lines[0], discounts=(discount,)),))
    texts = [line.text for line in entry(snapshot).lines]
    assert "Discount for only" in texts
    assert all(len(text) <= 50 for text in texts)


def test_above_nine_hundred_lines_are_summed() -> None:
    order = StoreOrder(items=tuple(Item(price=D("1.00"), quantity=1) for _ in range(901)))
    assert len(entry(order, posting__lines="per_line").lines) < 10
    small = StoreOrder(items=tuple(Item(price=D("1.00"), quantity=1) for _ in range(20)))
    assert len(entry(small, posting__lines="per_line").lines) > 20


def test_currency_of_the_shopper_and_the_stores_rate() -> None:
    snapshot = StoreOrder(
        changes={"store_currency": "EUR", "store_to_transactional_rate": Decimal("1.0812")}
    ).snapshot()
    assert entry(snapshot).exchange_rate is None
    assert entry(snapshot, fx__rate="store").exchange_rate == Decimal("1.0812")
    assert entry(StoreOrder(), fx__rate="store").exchange_rate is None


def test_a_currency_without_clearing_account_is_unmapped() -> None:
    methods = [{"gateway": "braintree", "currency": "EUR", "account": "113100", "text": "Card"}]
    result = held(plan(captured(StoreOrder().snapshot()), mapping=a_mapping(payment_methods=methods)))
    assert result.key == "payment_method|braintree|credit_card"
    assert due(StoreOrder().snapshot()) > 0


@pytest.mark.parametrize(("credit", "certificate"), [("10.005", "0"), ("0", "0.0004")])
def test_fractions_of_a_cent_in_tenders_unbalance_nothing_and_are_no_line(credit: str, certificate: str) -> None:
    order = StoreOrder(store_credit=D(credit), gift_certificate=D(certificate))
    found = entry(order)
    assert found.balance == 0
    assert all(line.amount > 0 for line in found.lines)
    spent = D("10.01") if D(credit) else 0
    assert of_role([found], "store_credit_liability", "gift_certificate_liability") == spent
    assert of_role([found], "receivable") == order.snapshot().order.total.inc_tax - spent
