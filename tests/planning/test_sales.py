"""Sales documents, rule by rule: what an order becomes, its items, charges and tax, and what changes afterwards."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from ml_connector.domain.documents import ITEMISED, Document, Kind, Line, LineType, Plan, Role
from ml_connector.domain.mapping import Mapping
from ml_connector.domain.orders import Address, OrderSnapshot, Tax3
from ml_connector.domain.policy import Policy
from tests.planning.store import (
    CREATED,
    D,
    Item,
    StoreOrder,
    a_mapping,
    a_policy,
    a_refund,
    a_transaction,
    an_item,
    captured,
    documents,
    held,
    of_role,
    plan,
    references,
)
from tests.planning.test_sales_properties import receivable

BY_SKU = a_mapping(items_match="sku")
STORE_TAX = a_policy(sales__tax="store")
PAID = captured(StoreOrder().snapshot())


def sold(
    snapshot: OrderSnapshot,
    policy: Policy | None = None,
    mapping: Mapping | None = None,
    posted: tuple[Document, ...] = (),
    family: str = "business_one",
    **facts: object,
) -> Plan:
    return plan(
        snapshot, policy, mapping or BY_SKU, posted, style="sales", family=family, reference_form="long", **facts
    )


def the_sale(result: Plan) -> Document:
    return next(document for document in documents(result) if document.kind in ITEMISED)


def lines_of(document: Document, kind: LineType) -> list[Line]:
    return [line for line in document.lines if line.itemised is not None and line.itemised.type is kind]


class TestWhatAnOrderBecomes:
    @pytest.mark.parametrize(
        ("family", "document", "kind", "reference", "money"),
        [
            ("business_one", "invoice", Kind.SALES_INVOICE, "BC-S1-10250-I", Kind.PAYMENT),
            ("business_one", "order", Kind.SALES_ORDER, "BC-S1-10250-O", Kind.DEPOSIT),
            ("business_one", "delivery", Kind.DELIVERY, "BC-S1-10250-L", Kind.DEPOSIT),
            ("acumatica", "invoice", Kind.SALES_ORDER, "BC-S1-10250-O", Kind.DEPOSIT),
            ("business_central", "invoice", Kind.SALES_ORDER, "BC-S1-10250-O", Kind.PAYMENT),
            ("netsuite", "delivery", Kind.SALES_ORDER, "BC-S1-10250-O", Kind.DEPOSIT),
            ("a_third_partys", "invoice", Kind.SALES_INVOICE, "BC-S1-10250-I", Kind.PAYMENT),
        ],
    )
    def test_policy_chooses_where_the_family_leaves_a_choice(
        self, family: str, document: str, kind: Kind, reference: str, money: Kind
    ) -> None:
        sale, paid = documents(sold(PAID, a_policy(sales__document=document), family=family))
        assert (sale.kind, sale.reference) == (kind, reference)
        assert (paid.kind, paid.applies_to) == (money, reference)
        deposit = of_role([paid], "customer_deposit") != 0
        assert deposit is (money is Kind.DEPOSIT)

    def test_it_says_where_the_goods_go_and_the_buyers_own_number(self) -> None:
        there = Address("Mara", "Lind", street_1="Rosenweg 4", city="Stuttgart", country_iso2="DE")
        place = replace(PAID.addresses[0], address=there)
        assert the_sale(sold(replace(PAID, addresses=(place,)))).ship_to == there
        assert the_sale(sold(PAID)).ship_to is None

    def test_money_before_delivery_is_a_deposit_which_is_settled_with_the_invoice(self) -> None:
        policy = a_policy(posting__trigger="shipment")
        first = documents(sold(PAID, policy))
        assert [(one.kind, one.applies_to) for one in first] == [(Kind.DEPOSIT, "")]
        shipped = replace(PAID, order=replace(PAID.order, status_id=2, shipped=CREATED + timedelta(days=3)))
        found = documents(sold(shipped, policy, posted=first))
        assert [(one.kind, one.already) for one in found] == [
            (Kind.DEPOSIT, True), (Kind.SALES_INVOICE, False), (Kind.DEPOSIT_APPLICATION, False)
        ]  # fmt: skip
        application = found[-1]
        assert (application.applies_to, application.draws) == (found[1].reference, found[0].reference)
        assert (application.reference, application.posting_date) == ("BC-S1-10250-A90100001", found[1].posting_date)
        assert (receivable(found), of_role(found, "customer_deposit")) == (0, 0)
        # Also money that comes later: what is booked does not depend on which run saw what first.
        late = replace(shipped, transactions=(*shipped.transactions, a_transaction("1.00", 2)))
        assert documents(sold(late, policy, posted=found))[1].kind is Kind.DEPOSIT

    def test_a_deposit_is_left_to_the_erp_where_policy_or_the_family_say_so(self) -> None:
        shipped = replace(PAID, order=replace(PAID.order, status_id=2, shipped=CREATED + timedelta(days=3)))
        for policy, family in (
            (a_policy(posting__trigger="shipment", sales__deposits="leave"), "business_one"),
            (a_policy(posting__trigger="shipment", sales__document="order"), "business_one"),
            (a_policy(posting__trigger="shipment"), "acumatica"),
            (a_policy(posting__trigger="shipment"), "a_third_partys"),
        ):
            kinds = {one.kind for one in documents(sold(shipped, policy, family=family))}
            assert Kind.DEPOSIT_APPLICATION not in kinds, (policy, family)
        applied = documents(sold(shipped, a_policy(posting__trigger="shipment")))
        kept = documents(sold(shipped, a_policy(posting__trigger="shipment", sales__deposits="leave"), posted=applied))
        assert [(one.kind, one.already) for one in kept] == [(one.kind, True) for one in applied]

    def test_no_more_is_settled_than_the_document_has_open(self) -> None:
        paid = captured(replace(StoreOrder(), store_credit=D("10.00")).snapshot())
        twice = (*paid.transactions, a_transaction("30.00", 2), a_transaction("5.00", 3))
        late = replace(paid, transactions=twice)
        shipped = replace(late, order=replace(late.order, status_id=2, shipped=CREATED + timedelta(days=3)))
        found = documents(sold(shipped, a_policy(posting__trigger="shipment")))
        settled = [-of_role([one], "receivable") for one in found if one.kind is Kind.DEPOSIT_APPLICATION]
        assert settled == [shipped.order.total.inc_tax - 10]
        less = replace(shipped, transactions=(a_transaction("20.00", 1), *twice[1:]))
        found = documents(sold(less, a_policy(posting__trigger="shipment")))
        settled = [-of_role([one], "receivable") for one in found if one.kind is Kind.DEPOSIT_APPLICATION]
        assert settled == [20, 30, 5]

    def test_a_free_order_is_a_document_of_its_goods(self) -> None:
        free = StoreOrder(items=(Item(discounts=(("c", "ALL", D("60.00")),)),), shipping=(D(0),)).snapshot()
        for zero in ("post", "exclude"):
            (sale,) = documents(sold(free, a_policy(posting__zero_total=zero)))
            assert sale.total == 0
            (line,) = lines_of(sale, LineType.ITEM)
            assert line.itemised is not None
            assert (line.itemised.quantity, line.itemised.discount_amount) == (3, D("60.00"))


class TestItems:
    def test_a_sku_is_mapped_or_is_itself_the_item(self) -> None:
        order = captured(StoreOrder(items=(Item(sku="TEE"), Item(sku="MUG"))).snapshot())
        mixed = a_mapping(items={"TEE": "731"}, items_match="sku")
        names = [line.itemised.item for line in the_sale(sold(order, mapping=mixed)).lines if line.itemised]
        assert [name for name in names if name] == ["731", "MUG"]
        assert held(sold(order, mapping=a_mapping(items={"TEE": "731"}))).missing == (("item", "MUG"),)

    def test_every_missing_item_is_named_before_anything_else_is_asked(self) -> None:
        order = captured(StoreOrder(items=(Item(sku="TEE", rate="high"), Item(sku="MUG"))).snapshot())
        refund = a_refund("21.65", "1.65", an_item("PRODUCT", 502, 1))
        found = held(sold(replace(order, refunds=(refund,)), mapping=a_mapping(taxes=[])))
        assert found.code == "unmapped"
        assert {("item", "TEE"), ("item", "MUG"), ("tax", "state|Default|8.25")} <= set(found.missing)

    def test_a_line_without_sku_takes_the_item_of_the_empty_one(self) -> None:
        lines = (replace(PAID.lines[0], sku=""),)
        custom = replace(PAID, lines=lines)
        assert held(sold(custom)).key == "item|"
        (line,) = lines_of(the_sale(sold(custom, mapping=a_mapping(items={"": "MISC"}))), LineType.ITEM)
        assert line.itemised is not None
        assert line.itemised.item == "MISC"

    def test_the_warehouse_is_the_mappings_or_left_to_the_erp(self) -> None:
        for warehouse in ("", "WEB"):
            mapping = a_mapping(items_match="sku", default_warehouse=warehouse)
            sale = the_sale(sold(PAID, mapping=mapping))
            found = {line.itemised.warehouse for line in lines_of(sale, LineType.ITEM) if line.itemised}
            assert found == {warehouse}
            assert {line.itemised.warehouse for line in sale.lines if line.itemised} <= {"", warehouse}

    def test_a_child_of_a_bundle_moves_stock_and_comes_back(self) -> None:
        child = replace(PAID.lines[0], id=509, sku="CHILD", totals=Tax3(), discounted_total_inc_tax=D(0))
        bundle = replace(PAID, lines=(*PAID.lines, child))
        sale = the_sale(sold(bundle))
        free = [line for line in lines_of(sale, LineType.ITEM) if line.amount == 0]
        assert [line.itemised.item for line in free if line.itemised] == ["CHILD"]
        assert of_role([sale], "revenue") == -60
        refund = a_refund("21.65", "1.65", an_item("PRODUCT", 501, 1), an_item("PRODUCT", 509, 1))
        memo = documents(sold(replace(bundle, refunds=(refund,)), STORE_TAX))[-2]
        back = {line.itemised.item: (line.itemised.quantity, line.signed) for line in memo.lines if line.itemised}
        assert back["CHILD"] == (1, 0)
        assert back["SKU-0"] == (1, 20)

    def test_what_comes_back_is_the_item_that_was_sold(self) -> None:
        first = documents(sold(PAID, mapping=a_mapping(items={"SKU-0": "OLD"}, default_warehouse="01")))
        refund = a_refund("21.65", "1.65", an_item("PRODUCT", 501, 1))
        renamed = a_mapping(items={"SKU-0": "NEW"})
        memo = documents(sold(replace(PAID, refunds=(refund,)), mapping=renamed, posted=first))[-2]
        (line,) = lines_of(memo, LineType.ITEM)
        assert line.itemised is not None
        assert (line.itemised.item, line.itemised.warehouse, line.itemised.quantity) == ("OLD", "01", 1)
        assert line.itemised.unit_price == 20

    def test_the_price_is_the_stores(self) -> None:
        lines = (replace(PAID.lines[0], unit_price_ex_tax=D("21.0000")),)
        (line,) = lines_of(the_sale(sold(replace(PAID, lines=lines))), LineType.ITEM)
        assert line.itemised is not None
        assert (line.amount, line.itemised.unit_price, line.itemised.discount_amount) == (60, 21, 3)

    def test_a_certificate_is_a_charge_or_an_item_as_the_family_sells_it(self) -> None:
        voucher = Item(price=D(50), quantity=1, rate="none", type="giftcertificate", sku="GIFT")
        order = captured(StoreOrder(items=(Item(), voucher)).snapshot())
        for family, kind in (("business_one", LineType.CHARGE), ("netsuite", LineType.ITEM)):
            sale = the_sale(sold(order, family=family))
            (line,) = [line for line in sale.lines if line.role is Role.GIFT_CERTIFICATE_LIABILITY]
            assert line.itemised is not None
            assert (line.itemised.type, line.itemised.item) == (kind, "GIFT" if kind is LineType.ITEM else "")


class TestCharges:
    def test_freight_charges_and_what_is_neither(self) -> None:
        order = captured(StoreOrder(shipping=(D(8), D(3)), handling=D(2), fee=D(1)).snapshot())
        sale = the_sale(sold(order))
        assert [line.amount for line in lines_of(sale, LineType.FREIGHT)] == [8, 3]
        assert [line.role for line in lines_of(sale, LineType.CHARGE)] == [Role.HANDLING_INCOME, Role.FEE_INCOME]

    def test_a_coupon_on_shipping_makes_the_freight_less(self) -> None:
        order = captured(StoreOrder(shipping=(D(8),), shipping_coupon=D(3)).snapshot())
        no_contra = {role: account for role, account in BY_SKU.accounts.items() if not role.startswith("discount")}
        found = documents(sold(order, STORE_TAX, a_mapping(items_match="sku", accounts=no_contra)))
        (freight,) = lines_of(found[0], LineType.FREIGHT)
        assert freight.amount == 5
        assert found[0].total == order.order.total.inc_tax
        # What was paid for it can be asked back, and no more than that is taken.
        refund = a_refund("5.66", "0.66", an_item("SHIPPING", 61, amount="5.66"))
        memo = documents(sold(replace(order, refunds=(refund,)), STORE_TAX, posted=found))[-2]
        (back,) = lines_of(memo, LineType.FREIGHT)
        assert back.amount == 5
        assert (memo.total, of_role([memo], "rounding")) == (D("5.66"), 0)


class TestTax:
    # Three lines whose tax the store rounds one by one: 0.5775 each, 0.58 x 3 = 1.74; at once 1.7325, 1.73.
    LINES = tuple(Item(price=D(7), quantity=1) for _ in range(3))

    @pytest.mark.parametrize(("rounding", "tax", "left"), [("per_code", "1.73", "-0.01"), ("per_line", "1.74", "0")])
    def test_the_erps_rounding_is_foreseen(self, rounding: str, tax: str, left: str) -> None:
        order = captured(StoreOrder(items=self.LINES, shipping=(D(0),)).snapshot())
        sale = the_sale(sold(order, a_policy(sales__erp_tax_rounding=rounding)))
        (line,) = lines_of(sale, LineType.TAX)
        assert line.itemised is not None
        assert (line.amount, line.itemised.predicted) == (D(tax), True)
        assert of_role([sale], "rounding") == D(left)
        assert sale.total == D("22.74")

    def test_the_stores_tax_is_sent_where_policy_says_so(self) -> None:
        order = captured(StoreOrder(items=self.LINES, shipping=(D(0),)).snapshot())
        sale = the_sale(sold(order, STORE_TAX))
        (line,) = lines_of(sale, LineType.TAX)
        assert line.itemised is not None
        assert (line.amount, line.itemised.predicted) == (D("1.74"), False)

    def test_more_than_the_tolerance_is_held_with_both_sums(self) -> None:
        exempt = replace(PAID, taxes=tuple(replace(row, amount=D(0)) for row in PAID.taxes))
        order = exempt.order
        lines = tuple(
            replace(line, totals=replace(line.totals, tax=D(0)), discounted_total_inc_tax=D("60.00"))
            for line in exempt.lines
        )
        total = replace(order.total, inc_tax=order.total.ex_tax, tax=D(0))
        untaxed = replace(exempt, order=replace(order, total=total), lines=lines)
        found = held(sold(captured(untaxed)))
        assert found.code == "erp_tax_difference"
        facts = dict(found.facts or {})
        assert (facts["store_total"], facts["erp_total"], facts["difference"]) == ("68.00", "73.61", "5.61")
        assert (facts["store_tax"], facts["erp_tax"], facts["erp tax O1"]) == ("0.00", "5.61", "5.61")

    def test_a_credit_memo_is_taxed_by_the_erp_too_and_comes_to_the_refund(self) -> None:
        order = captured(StoreOrder(items=self.LINES, shipping=(D(0),)).snapshot())
        refund = a_refund("15.16", "1.16", an_item("PRODUCT", 501, 1), an_item("PRODUCT", 502, 1))
        memo = documents(sold(replace(order, refunds=(refund,))))[-2]
        assert (memo.total, of_role([memo], "tax_payable"), of_role([memo], "rounding")) == (
            D("15.16"), D("1.16"), 0,
        )  # fmt: skip

    def test_tax_alone_cannot_be_given_back_where_the_erp_computes_it(self) -> None:
        refund = a_refund("1.65", "1.65")
        found = held(sold(replace(PAID, refunds=(refund,))))
        assert (found.code, found.key) == ("erp_tax_difference", "refund 31")
        facts = dict(found.facts or {})
        assert (facts["store_tax"], facts["erp_tax"], facts["difference"]) == ("1.65", "0", "1.65")
        untaxed = captured(StoreOrder(items=(Item(rate="none"),), charge_rate="none").snapshot())
        assert held(sold(replace(untaxed, refunds=(refund,)))).code == "erp_tax_difference"
        assert the_sale(sold(replace(PAID, refunds=(refund,)), STORE_TAX)).total == PAID.order.total.inc_tax

    def test_the_tax_of_a_fee_has_the_rate_of_its_code(self) -> None:
        order = StoreOrder(shipping=(D(0),), fee=D(10)).snapshot()
        fee = replace(order.fees[0], cost=Tax3(D(10), D("11.90"), D("1.90")), tax_class_id=5)
        total = Tax3(order.order.total.ex_tax, order.order.total.inc_tax + D("1.90"), order.order.total.tax + D("1.90"))
        taxed = captured(replace(order, fees=(fee,), order=replace(order.order, total=total)))
        sale = the_sale(sold(taxed))
        assert {line.tax_code: line.amount for line in lines_of(sale, LineType.TAX)} == {
            "O1": D("4.95"), "A1": D("1.90"),
        }  # fmt: skip


class TestMoney:
    TENDERED = captured(StoreOrder(store_credit=D(10), gift_certificate=D(20)).snapshot())

    def test_store_credit_and_certificates_are_payments_of_their_own(self) -> None:
        found = documents(sold(self.TENDERED))
        assert [one.reference[12:] for one in found] == ["I", "T", "G", "P90100001"]
        sale = found[0]
        assert sale.total == self.TENDERED.order.total.inc_tax
        assert {one.applies_to for one in found[1:]} == {sale.reference}
        assert of_role(found, "store_credit_liability", "gift_certificate_liability") == 30
        assert receivable(found) == 0

    def test_a_tender_that_an_edit_took_away_is_reversed_and_the_invoice_stands(self) -> None:
        first = documents(sold(self.TENDERED))
        edited = replace(self.TENDERED, order=replace(self.TENDERED.order, store_credit_amount=D(0)))
        found = references(sold(edited, posted=first))
        assert [name[12:] for name in found] == ["I", "XT", "G", "P90100001"]

    def test_a_refund_to_store_credit_goes_out_to_its_liability(self) -> None:
        refund = a_refund("21.65", "1.65", an_item("PRODUCT", 501, 1), provider="storecredit")
        memo, out = documents(sold(replace(PAID, refunds=(refund,))))[-2:]
        assert (memo.kind, memo.applies_to) == (Kind.CREDIT_MEMO, "BC-S1-10250-I")
        assert (out.kind, out.applies_to) == (Kind.REFUND_PAYMENT, memo.reference)
        assert of_role([out], "store_credit_liability") == D("-21.65")

    def test_a_free_amount_given_back_is_a_charge_without_tax(self) -> None:
        refund = a_refund("5.00", "0", an_item("ORDER", 10250, amount="5.00"))
        memo = documents(sold(replace(PAID, refunds=(refund,))))[-2]
        (line,) = memo.lines
        assert line.itemised is not None
        assert (line.role, line.itemised.type, line.tax_code) == (Role.REFUND_ADJUSTMENT, LineType.CHARGE, "")


class TestAfterwards:
    EDITED = replace(StoreOrder(items=(Item(quantity=2),)).snapshot(), transactions=PAID.transactions)
    CANCELLED = replace(PAID, order=replace(PAID.order, status_id=5))

    @pytest.mark.parametrize("amendment", ["reverse_repost", "adjust", "hold"])
    @pytest.mark.parametrize("document", ["invoice", "delivery"])
    def test_an_edit_of_what_is_out_asks_a_person(self, amendment: str, document: str) -> None:
        policy = a_policy(amendment=amendment, sales__document=document)
        first = documents(sold(PAID, policy))
        found = held(sold(self.EDITED, policy, posted=first))
        assert (found.code, found.key) == ("amended_after_invoicing", first[0].reference)
        facts = dict(found.facts or {})
        assert Decimal(facts["posted_total"]) == PAID.order.total.inc_tax
        assert Decimal(facts["new_total"]) == self.EDITED.order.total.inc_tax
        assert facts["new revenue 410000 O1 SKU-0"] == "credit 40.00"

    @pytest.mark.parametrize(("family", "names"), [("business_one", ["O-2"]), ("acumatica", ["XO", "O-2"])])
    def test_an_edit_of_an_open_order_changes_it_in_place_or_orders_anew(self, family: str, names: list[str]) -> None:
        policy = a_policy(sales__document="order")
        first = documents(sold(PAID, policy, family=family))
        found = documents(sold(self.EDITED, policy, posted=first, family=family))
        assert [one.reference[12:] for one in found] == [*names, "P90100001"]
        assert found[-2].total == self.EDITED.order.total.inc_tax
        assert found[-2].updates == ("BC-S1-10250-O" if family == "business_one" else "")
        for amendment in ("hold", "adjust"):
            asks = held(sold(self.EDITED, replace(policy, amendment=amendment), posted=first))
            assert asks.code == "amended_after_posting"

    def test_what_was_changed_in_place_stands_under_its_new_name_alone(self) -> None:
        policy = a_policy(sales__document="order")
        first = documents(sold(PAID, policy))
        second = documents(sold(self.EDITED, policy, posted=first))
        books = (*first, *(one for one in second if not one.already))
        again = documents(sold(self.EDITED, policy, posted=books))
        assert [(one.reference[12:], one.already) for one in again] == [("O-2", True), ("P90100001", True)]
        back = documents(sold(PAID, policy, posted=books))
        assert [(one.reference[12:], one.updates[12:]) for one in back if not one.already] == [("O-3", "O-2")]
        cancelled = documents(sold(self.CANCELLED, policy, posted=books))
        assert [(one.reference[12:], one.reverses[12:]) for one in cancelled if not one.already] == [("XO-2", "O-2")]
        undone = (*books, *(one for one in cancelled if not one.already))
        anew = documents(sold(PAID, policy, posted=undone))
        assert [(one.reference[12:], one.updates) for one in anew if not one.already] == [("O-3", "")]

    def test_another_buyer_or_currency_is_another_document(self) -> None:
        policy = a_policy(sales__document="order")
        first = documents(sold(PAID, policy))
        other = replace(self.EDITED, order=replace(self.EDITED.order, customer_id=0))
        found = [one.reference[12:] for one in documents(sold(other, policy, posted=first)) if not one.already]
        assert found == ["XO", "O-2"]

    def test_an_operator_may_have_an_invoice_posted_again(self) -> None:
        first = documents(sold(PAID))
        found = documents(
            sold(PAID, mapping=a_mapping(items={"SKU-0": "731"}), posted=first, repost=frozenset({first[0].reference}))
        )
        assert [one.reference[12:] for one in found] == ["XI", "I-2", "P90100001"]

    def test_a_cancellation_is_the_reversal_of_the_whole(self) -> None:
        policy = a_policy(posting__trigger="placement")
        first = documents(sold(replace(PAID, transactions=()), policy))
        (reversal,) = documents(sold(replace(self.CANCELLED, transactions=()), policy, posted=first))
        assert (reversal.reference, reversal.reverses) == ("BC-S1-10250-XI", "BC-S1-10250-I")
        assert reversal.total == first[0].total
        assert [line.itemised for line in reversal.lines] == [line.itemised for line in first[0].lines]

    def test_a_paid_invoice_is_credited_by_its_refund_not_cancelled(self) -> None:
        found = held(sold(self.CANCELLED, posted=documents(sold(PAID))))
        assert (found.code, found.key) == ("cancelled_with_money", "BC-S1-10250-I")
        by_status = a_policy(offline_methods={"Bank Deposit": "paid_by_status"})
        wired = replace(PAID, transactions=(), order=replace(PAID.order, payment_method="Bank Deposit"))
        first = documents(sold(wired, by_status))
        cancelled = replace(wired, order=replace(wired.order, status_id=5))
        assert held(sold(cancelled, by_status, posted=first)).code == "cancelled_with_money"

    def test_an_open_order_is_cancelled_and_its_deposits_stay(self) -> None:
        policy = a_policy(sales__document="order")
        found = documents(sold(self.CANCELLED, policy, posted=documents(sold(PAID, policy))))
        assert [(one.reference[12:], one.already) for one in found] == [("XO", False), ("P90100001", True)]

    def test_what_paid_a_cancelled_order_without_money_comes_back_first(self) -> None:
        whole = PAID.order.total.inc_tax
        paid = StoreOrder(store_credit=whole - 20, gift_certificate=D(20)).snapshot()
        first = documents(sold(paid))
        found = documents(sold(replace(paid, order=replace(paid.order, status_id=5)), posted=first))
        assert [one.reference[12:] for one in found] == ["XT", "XG", "XI"]

    def test_cancelled_and_refunded_in_full_is_refunded_alone(self) -> None:
        total, tax = PAID.order.total.inc_tax, PAID.order.total.tax
        items = (an_item("PRODUCT", 501, 3), an_item("SHIPPING", 61, amount="8.66"))
        refunded = replace(self.CANCELLED, refunds=(a_refund(total, tax, *items),))
        found = documents(sold(refunded, posted=documents(sold(PAID))))
        assert [one.kind for one in found] == [
            Kind.SALES_INVOICE, Kind.PAYMENT, Kind.CREDIT_MEMO, Kind.REFUND_PAYMENT,
        ]  # fmt: skip
        assert receivable(found) == 0

    def test_a_second_capture_of_an_invoice_is_a_payment_of_it(self) -> None:
        part = replace(PAID, transactions=(a_transaction("30.00"),))
        first = documents(sold(part))
        both = replace(part, transactions=(*part.transactions, a_transaction("43.61", 2)))
        found = documents(sold(both, posted=first))
        assert [one.already for one in found] == [True, True, False]
        assert found[2].applies_to == "BC-S1-10250-I"
        assert receivable(found) == 0

    def test_a_guest_who_registers_later_stays_the_guest_of_the_invoice(self) -> None:
        policy = a_policy(posting__trigger="placement")
        guest = StoreOrder(customer=0).snapshot()
        first = documents(sold(guest, policy))
        registered = captured(replace(guest, order=replace(guest.order, customer_id=77)))
        found = documents(sold(registered, policy, posted=first))
        assert [one.customer for one in found] == ["199999", "199999"]
        assert found[0].already

    def test_a_changed_policy_moves_nothing_that_is_posted(self) -> None:
        first = documents(sold(PAID))
        again = documents(sold(PAID, a_policy(sales__document="order"), posted=first))
        assert [one.reference for one in again] == [one.reference for one in first]
        assert all(one.already for one in again)
