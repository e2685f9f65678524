"""Ways to pay, to discount and to give back. One world and one worker for all of them; amounts worked out by hand."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from tests.crash import books
from tests.scenarios.playing import Acts, Play, alone, delete, together

D = Decimal
CENT = D("0.01")


def _paid_back(play: Play, order: int) -> dict[str, Decimal]:
    """Role -> amount over all refund entries (`R`) of an order."""
    found: dict[str, Decimal] = {}
    for name, document in play.entries(order).items():
        if name.startswith("S1-R"):
            for role, amount in play.sums(document).items():
                found[role] = found.get(role, D(0)) + amount
    return found


def _money_out(play: Play, order: int) -> Decimal:
    return sum((play.sums(d)["receivable"] for n, d in play.entries(order).items() if n.startswith("S1-M")), D(0))


# ------------------------------------------------------------------ refunds


@together("partial refund by amount only", "polled")
def partial_refund_by_amount_only(play: Play) -> Acts:
    order = play.sell("paid", "guest")
    yield
    play.act(order, "refund", amount="1.00")
    yield
    # no line is named, so no revenue and no tax is turned back: it is a goodwill expense
    assert play.sums(play.entry(order, "R")) == {"refund_adjustment": D("1.00"), "receivable": D("-1.00")}
    assert play.sums(play.entry(order, "M"))["receivable"] == D("1.00")
    assert play.owed(order) == 0


@together("shipping-only refund", "polled")
def shipping_only_refund(play: Play) -> Acts:
    order = play.sell("paid", "guest")
    [address] = play.snapshot(order)["shipping_addresses"]
    cost, tax = D(address["cost_inc_tax"]), D(address["cost_tax"])
    yield
    play.act(order, "refund", items=[{"item_type": "SHIPPING", "item_id": address["id"], "amount": str(cost)}])
    yield
    back = play.sums(play.entry(order, "R"))
    assert back == {"shipping_income": cost - tax, "tax": tax, "receivable": -cost}
    assert play.owed(order) == 0


@together("two refunds at once", "polled")
def two_refunds_at_once(play: Play) -> Acts:
    order = play.sell("paid", "guest")
    yield
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda amount: play.act(order, "refund", amount=amount), ("1.00", "2.50")))
    yield
    refunds = [d for name, d in play.entries(order).items() if name.startswith("S1-R")]
    assert sorted(play.sums(d)["receivable"] for d in refunds) == [D("-2.50"), D("-1.00")]
    assert _money_out(play, order) == D("3.50")
    assert play.owed(order) == 0


@together("refund before the capture record exists", "polled")
def refund_before_the_capture_record_exists(play: Play) -> Acts:
    order = play.sell("refund_amount", "guest")
    whole = play.snapshot(order)
    play.put({**whole, "transactions": []})
    yield
    record = play.record(order)
    assert (record["status"], record["hold_kind"]) == ("held", "awaiting_capture"), record
    assert play.entries(order) == {}
    for row in whole["transactions"]:
        play.act(order, "transaction", **row)
    yield
    assert sorted(name[3] for name in play.entries(order)) == ["M", "O", "P", "R"]
    assert play.owed(order) == 0


@together("exchange dearer than the return", "polled")
def exchange_dearer_than_the_return(play: Play) -> Acts:
    """Either way of doing it: a return to store credit and a new order, or the order edited and the rest paid."""
    returned, edited = play.sell("paid", "several"), play.sell("paid", "guest")
    paid = play.head(edited)["total_inc_tax"]
    yield
    line = play.snapshot(returned)["products"][0]
    item = {"item_type": "PRODUCT", "item_id": line["id"], "quantity": 1}
    play.act(returned, "refund", items=[item], provider="storecredit")
    credit = D(play.snapshot(returned)["refunds"][0]["total_amount"])
    dearer = play.sell("paid")
    whole = play.snapshot(dearer)
    assert D(whole["order"]["total_inc_tax"]) > credit
    card = D(whole["order"]["total_inc_tax"]) - credit
    whole["order"]["store_credit_amount"] = str(credit)
    whole["transactions"][0]["amount"] = str(card)
    play.put(whole)
    old = play.snapshot(edited)["products"][0]
    price = D(old["price_ex_tax"]) + 50
    play.act(edited, "edit", line_id=old["id"], quantity=old["quantity"], unit_price=str(price))
    [first] = play.snapshot(edited)["transactions"]
    rest = play.head(edited)["total_inc_tax"] - paid
    assert rest > 0
    second = {name: value for name, value in first.items() if name not in ("id", "gateway_transaction_id")}
    play.act(edited, "transaction", **{**second, "amount": str(rest)})
    yield
    back = play.entry(returned, "M")
    assert play.sums(back) == {"receivable": credit, "store_credit_liability": -credit}
    sale = play.sums(play.entry(dearer, "O"))
    assert (sale["store_credit_liability"], sale["receivable"]) == (credit, card)
    assert play.entry(edited, "O").reference == f"S1-O{edited}-2"
    assert play.sums(play.entry(edited, "O"))["receivable"] == paid + rest
    assert [play.owed(order) for order in (returned, dearer, edited)] == [0, 0, 0]


# ------------------------------------------------------------------ ways to pay


@together("gift card plus card", "polled")
def gift_card_plus_card(play: Play) -> Acts:
    order = play.sell("gift_redeemed", "guest")
    yield
    shown = play.head(order)
    card = shown["total_inc_tax"] - shown["gift_certificate_amount"]
    sale = play.sums(play.entry(order, "O"))
    assert shown["gift_certificate_amount"] > 0
    assert (sale["gift_certificate_liability"], sale["receivable"]) == (shown["gift_certificate_amount"], card)
    assert play.sums(play.entry(order, "P"))["receivable"] == -card  # the card alone: a certificate is no capture


@together("store credit", "polled")
def store_credit(play: Play) -> Acts:
    part, all_of_it = play.sell("store_credit"), play.sell("paid")
    whole = play.snapshot(all_of_it)
    whole["order"] |= {"store_credit_amount": whole["order"]["total_inc_tax"], "payment_method": "Store Credit"}
    whole["transactions"][0] |= {"method": "store_credit", "gateway": ""}
    play.put(whole)
    yield
    shown, sale = play.head(part), play.sums(play.entry(part, "O"))
    card = shown["total_inc_tax"] - shown["store_credit_amount"]
    assert (sale["store_credit_liability"], sale["receivable"]) == (shown["store_credit_amount"], card)
    assert play.sums(play.entry(part, "P"))["receivable"] == -card
    assert list(play.entries(all_of_it)) == [f"S1-O{all_of_it}"]  # nothing is owed, so nothing is paid
    sale = play.sums(play.entry(all_of_it, "O"))
    assert sale["store_credit_liability"] == play.head(all_of_it)["total_inc_tax"]
    assert "receivable" not in sale


@together("guest with an existing email", "polled")
def guest_with_an_existing_email(play: Play) -> Acts:
    known, guest = play.sell("paid"), play.sell("paid", "guest")
    email = play.snapshot(known)["order"]["billing_address"]["email"]
    whole = play.snapshot(guest)
    whole["order"]["billing_address"]["email"] = email
    play.put(whole)
    yield
    customer = play.snapshot(known)["order"]["customer_id"]
    [number] = books.partners_in(play.erp)[f"S1-C{customer}"]
    debtors = {
        order: {line.customer.lstrip("0") for d in play.entries(order).values() for line in d.lines if line.customer}
        for order in (known, guest)
    }
    one_time = play.stage.mapping.customers.one_time
    assert one_time
    # the address says nothing about who ordered: the guest's order is not put on the customer's account
    assert debtors == {known: {number.lstrip("0")}, guest: {one_time.lstrip("0")}}


@together("zero-total order", "polled")
def zero_total_order(play: Play) -> Acts:
    order = play.sell("paid", "guest", "free")
    yield
    assert play.head(order)["total_inc_tax"] == 0
    assert list(play.entries(order)) == [f"S1-O{order}"]
    sale = play.sums(play.entry(order, "O"))
    assert "receivable" not in sale
    assert sale["revenue"] < 0
    assert sale["discount_coupon"] == -sale["revenue"]


# ------------------------------------------------------------------ prices, taxes, currencies


@together("line discount that does not divide", "polled")
def line_discount_that_does_not_divide(play: Play) -> Acts:
    order = play.sell("paid", "guest", "third_off", "several")
    off = [D(d["amount"]) for line in play.snapshot(order)["products"] for d in line["applied_discounts"]]
    assert any(amount % CENT for amount in off), f"these divide: {off}"
    yield
    shown, sale = play.head(order), play.sums(play.entry(order, "O"))
    assert (sale["receivable"], sale["tax"]) == (shown["total_inc_tax"], -shown["total_tax"])
    assert all(amount % CENT == 0 for amount in sale.values())
    assert abs(sale["discount_coupon"] - sum(off)) <= CENT * len(off)
    assert abs(sale.get("rounding", D(0))) <= 5 * CENT


@together("tax-inclusive store into tax-exclusive ERP", "polled")
def tax_inclusive_store_into_tax_exclusive_erp(play: Play) -> Acts:
    order = play.sell("paid", "guest", market="de")
    yield
    shown, sale = play.head(order), play.sums(play.entry(order, "O"))
    assert play.snapshot(order)["order"]["is_tax_inclusive_pricing"]
    income = sum((amount for role, amount in sale.items() if role not in ("receivable", "tax")), D(0))
    assert (sale["receivable"], sale["tax"]) == (shown["total_inc_tax"], -shown["total_tax"])
    assert income == -shown["total_ex_tax"]


@together("JPY/KWD decimals", "polled")
def jpy_and_kwd_decimals(play: Play) -> Acts:
    yen, dinars = play.sell("refund_full", market="jp"), play.sell("refund_quantity", "guest", market="kw")
    yield
    for order, currency, unit in ((yen, "JPY", D(1)), (dinars, "KWD", D("0.001"))):
        entries = play.entries(order)
        assert {document.currency for document in entries.values()} == {currency}
        assert all(line.amount % unit == 0 for document in entries.values() for line in document.lines)
        assert play.sums(play.entry(order, "O"))["receivable"] == play.head(order)["total_inc_tax"]
        assert play.owed(order) == 0
    amounts = [line.amount for document in play.entries(dinars).values() for line in document.lines]
    assert any(amount % CENT for amount in amounts), "no amount has three decimals"


@together("charge currency differs from store currency", "polled")
def charge_currency_differs_from_store_currency(play: Play) -> Acts:
    order = play.sell("paid", "guest", "display_currency", market="ca_on")
    yield
    shown = play.snapshot(order)["order"]
    currencies = (shown["store_default_currency_code"], shown["default_currency_code"], shown["currency_code"])
    assert currencies == ("USD", "CAD", "EUR")  # the store's, what was charged, what was shown
    assert {document.currency for document in play.entries(order).values()} == {"CAD"}
    assert play.sums(play.entry(order, "O"))["receivable"] == play.head(order)["total_inc_tax"]
    assert play.owed(order) == 0


# ------------------------------------------------------------------ the catalogue


def _revenue(play: Play, document: Any) -> Decimal:
    return -play.sums(document)["revenue"]


@together("deleted product", "polled")
def deleted_product(play: Play) -> Acts:
    """Gone before the order is read, and gone between the sale and the refund."""
    before, after = play.sell("paid", "guest", "several"), play.sell("paid", "guest", "several")
    # products that no other scenario sells
    for number, order in enumerate((before, after)):
        whole = play.snapshot(order)
        for line in whole["products"]:
            line["product_id"] += 10_000 * (number + 1)
        play.put(whole)
    gone = [line["product_id"] for line in play.snapshot(before)["products"]]
    for product in gone:
        delete(f"{play.store}/products/{product}")
    yield
    net = sum(D(line["total_ex_tax"]) for line in play.snapshot(before)["products"])
    assert abs(_revenue(play, play.entry(before, "O")) - net) <= 5 * CENT
    lines = play.snapshot(after)["products"]
    for line in lines:
        delete(f"{play.store}/products/{line['product_id']}")
    item = {"item_type": "PRODUCT", "item_id": lines[0]["id"], "quantity": 1}
    play.act(after, "refund", items=[item])
    yield
    refund = play.snapshot(after)["refunds"][0]
    back = _paid_back(play, after)
    assert back["revenue"] == D(refund["total_amount"]) - D(refund["total_tax"])
    assert back["tax"] == D(refund["total_tax"])
    assert play.entry(after, "O").reference == f"S1-O{after}", "the sale was posted anew for a change of the catalogue"


@alone("deleted product")
def deleted_product_that_a_rule_by_category_asks_for(play: Play) -> None:
    """Which account is right cannot be known any more: it is not guessed, and a rule by SKU settles it."""
    revenue = {"account": play.stage.mapping.accounts["revenue"]}

    def by_category(content: Any) -> None:
        content["connections"]["web-store"]["settings"]["read_categories"] = True
        content["integrations"]["us-store"]["mapping"]["revenue_rules"] = [{"match": {"category": 21}, **revenue}]

    def by_sku(content: Any) -> None:
        by_category(content)
        rules = content["integrations"]["us-store"]["mapping"]["revenue_rules"]
        rules.insert(0, {"match": {"sku": "GONE"}, **revenue})

    play.configure(by_category)
    whole, order = play.one_line("GONE", product_id=91_001)
    custom, made_up = play.one_line("", product_id=0)
    kept, sold = play.one_line("KEPT", product_id=91_002)
    delete(f"{play.store}/products/91001")
    assert [each["products"][0]["product_id"] for each in (whole, custom, kept)] == [91_001, 0, 91_002]
    play.worker()
    play.posted(made_up, sold)
    hold = play.held(order)
    assert (hold.kind, hold.key) == ("unmapped", "revenue|GONE")
    assert "read_categories" in hold.message
    said = play.configure(by_sku)
    assert [group["keys"] for group in said["released"]] == [[str(order)]]
    play.posted(order)
    play.ties()


@together("duplicate SKU", "polled")
def duplicate_sku(play: Play) -> Acts:
    """Two lines of one order, and two products of the catalogue, under one SKU."""
    order = play.sell("paid", "guest", "long")
    whole = play.snapshot(order)
    assert len({line["product_id"] for line in whole["products"]}) > 1
    for line in whole["products"]:
        line["sku"] = "SAME"
    play.put(whole)
    item = {"item_type": "PRODUCT", "item_id": whole["products"][-1]["id"], "quantity": 1}
    yield
    play.act(order, "refund", items=[item])
    yield
    net = sum(D(line["total_ex_tax"]) for line in whole["products"])
    assert _revenue(play, play.entry(order, "O")) == net
    refund = play.snapshot(order)["refunds"][0]
    assert _paid_back(play, order)["revenue"] == D(refund["total_amount"]) - D(refund["total_tax"])
    assert play.owed(order) == 0
