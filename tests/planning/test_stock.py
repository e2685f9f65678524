"""What the store should have on hand."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_connector.domain.mapping import Mapping, Unmapped
from ml_connector.domain.policy import Policy
from ml_connector.domain.stock import ItemStock, Level, StoreStock, WarehouseStock
from ml_connector.planning.stock import (
    SkusOfItems,
    available,
    item_of,
    nothing_to_sell,
    open_quantities,
    plan_stock,
    scan_digest,
    skus_beside,
)
from tests.planning.store import Item, StoreOrder

MAPPING = Mapping(warehouses={"01": 1, "02": 1, "WEB": 3}, items={"TEE": "731", "MUG": "MUG"}, items_match="sku")
POLICY = Policy(reference_tag="S1")


def of(**warehouses: str | tuple[str, str, str]) -> ItemStock:
    told = {name: value if isinstance(value, tuple) else (value, "0", "0") for name, value in warehouses.items()}
    return ItemStock(
        "731",
        {name.removeprefix("w"): WarehouseStock(*(Decimal(part) for part in parts)) for name, parts in told.items()},
    )


def test_warehouses_of_a_location_add_up_and_others_do_not_count() -> None:
    assert available(of(w01="5", w02="7", wWEB="2", w99="100"), MAPPING, POLICY) == {1: 12, 3: 2}


def test_what_the_erp_has_promised_is_not_offered_and_what_is_on_order_only_by_policy() -> None:
    stock = of(w01=("10", "4", "20"))
    assert available(stock, MAPPING, POLICY)[1] == 6
    assert available(stock, MAPPING, replace(POLICY, stock_back_order="on_order"))[1] == 26


def test_safety_stock_is_kept_back_at_each_location_and_nothing_goes_below_zero() -> None:
    policy = replace(POLICY, stock_safety=3)
    assert available(of(w01="10", wWEB="2"), MAPPING, policy) == {1: 7, 3: 0}
    assert available(of(w01=("2", "9", "0")), MAPPING, POLICY) == {1: 0, 3: 0}


def test_parts_of_a_piece_are_not_sold() -> None:
    assert available(of(w01="2.7", w02="0.2"), MAPPING, POLICY)[1] == 2


def test_a_discontinued_item_is_offered_nowhere() -> None:
    assert available(replace(of(w01="10"), sellable=False), MAPPING, POLICY) == {1: 0, 3: 0}


def test_a_part_of_a_warehouse_counts_for_the_whole_unless_it_is_mapped_itself() -> None:
    mapping = Mapping(warehouses={"1710": 1, "1710/WEB": 2})
    stock = ItemStock("X", {"1710/171A": WarehouseStock(Decimal(4)), "1710/WEB": WarehouseStock(Decimal(6))})
    assert available(stock, mapping, POLICY) == {1: 4, 2: 6}


def test_what_orders_have_taken_comes_off_the_default_location_first() -> None:
    store = StoreStock("TEE", {1: 5, 3: 4})
    plan = plan_stock(of(w01="5", wWEB="4"), store, MAPPING, POLICY, reserved=2, default_location=3)
    assert plan.wanted == {1: 5, 3: 2}
    assert plan.writes == (Level("TEE", 3, 2),)
    assert not plan.raises
    more = plan_stock(of(w01="5", wWEB="4"), store, MAPPING, POLICY, reserved=6, default_location=3)
    assert more.wanted == {1: 3, 3: 0}


def test_only_what_differs_is_written_and_a_raise_is_told() -> None:
    store = StoreStock("TEE", {1: 5})
    plan = plan_stock(of(w01="9"), store, MAPPING, POLICY, default_location=1)
    assert plan.writes == (Level("TEE", 1, 9), Level("TEE", 3, 0))
    assert plan.raises
    assert plan_stock(of(w01="5"), StoreStock("TEE", {1: 5, 3: 0}), MAPPING, POLICY).writes == ()


def test_the_guard_offers_none_and_leaves_other_locations_alone() -> None:
    plan = nothing_to_sell(StoreStock("TEE", {1: 5, 3: 0, 8: 7}), MAPPING)
    assert plan.writes == (Level("TEE", 1, 0),)


def test_sku_and_item_lead_to_each_other() -> None:
    skus = SkusOfItems(MAPPING)
    assert item_of("TEE", MAPPING) == "731"
    assert skus.of("731") == ("TEE", "731")
    assert skus.of("MUG") == ("MUG",)
    assert item_of("OTHER", MAPPING) == "OTHER"
    with pytest.raises(Unmapped):
        item_of("OTHER", replace(MAPPING, items_match=""))
    assert SkusOfItems(replace(MAPPING, items_match="")).of("OTHER") == ()


def test_a_scan_sees_a_change_of_stock_mapping_and_policy_and_nothing_else() -> None:
    before = scan_digest(of(w01="5"), ["TEE"], MAPPING, POLICY)
    assert scan_digest(of(w01="5", w02="0"), ["TEE"], MAPPING, replace(POLICY, version=9)) == before
    assert scan_digest(of(w01="6"), ["TEE"], MAPPING, POLICY) != before
    assert scan_digest(of(w01="5"), ["TEE"], replace(MAPPING, warehouses={"01": 2}), POLICY) != before
    assert scan_digest(of(w01="5"), ["TEE"], MAPPING, replace(POLICY, stock_safety=1)) != before
    assert scan_digest(replace(of(w01="5"), sellable=False), ["TEE"], MAPPING, POLICY) != before


@given(
    st.dictionaries(st.sampled_from(["01", "02", "WEB", "99"]), st.decimals(-50, 50, places=2), max_size=4),
    st.integers(0, 60),
    st.integers(0, 5),
)
def test_no_plan_offers_more_than_there_is_less_what_was_taken(
    stock: dict[str, Decimal], reserved: int, safety: int
) -> None:
    item = ItemStock("731", {name: WarehouseStock(each) for name, each in stock.items()})
    policy = replace(POLICY, stock_safety=safety)
    plan = plan_stock(item, StoreStock("TEE", {}), MAPPING, policy, reserved=reserved, default_location=1)
    offered = sum(available(item, MAPPING, policy).values())
    assert sum(plan.wanted.values()) == max(0, offered - reserved)
    assert all(count >= 0 for count in plan.wanted.values())


def taken(status: int, *, leaves_by_shipment: bool = True, **changes: int) -> dict[str, int]:
    made = StoreOrder(
        items=(
            Item(sku="TEE", quantity=3),
            Item(sku="TEE", quantity=1),
            Item(quantity=5, sku="GIFT", type="giftcertificate"),
        ),
        status=status,
    )
    shot = made.snapshot()
    lines = tuple(replace(line, **changes) if line.quantity == 3 else line for line in shot.lines)
    return open_quantities(replace(shot, lines=lines), leaves_by_shipment=leaves_by_shipment)


@pytest.mark.parametrize("status", [0, 5, 6])
def test_incomplete_cancelled_and_declined_orders_hold_nothing(status: int) -> None:
    assert taken(status) == taken(status, leaves_by_shipment=False) == {}


def test_an_order_holds_its_skus_until_they_are_shipped_or_given_back() -> None:
    assert taken(11) == {"TEE": 4}
    assert taken(3, quantity_shipped=2) == {"TEE": 2}
    assert taken(14, quantity_refunded=3) == {"TEE": 1}
    assert taken(2) == taken(10) == {}


def test_where_our_document_takes_the_goods_out_a_shipment_changes_nothing() -> None:
    assert taken(2, leaves_by_shipment=False, quantity_shipped=3) == {"TEE": 4}


def test_skus_of_one_item_are_known_to_each_other() -> None:
    mapping = Mapping(items={"A": "X", "B": "X", "X": "Z", "": "MISC"}, items_match="sku")
    assert skus_beside(["A", "Y"], mapping) == {"A": ("X", {"A", "B"}), "Y": ("Y", {"Y"})}
    assert skus_beside(["X", "Z"], mapping) == {"X": ("Z", {"X", "Z"}), "Z": ("Z", {"X", "Z"})}
    assert skus_beside(["A", "Y"], replace(mapping, items_match="")) == {"A": ("X", {"A", "B"})}
