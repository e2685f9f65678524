"""What is sold stays sold, whoever knows of it: other SKUs of the item, orders of before, a recount."""

import json
from datetime import UTC, datetime

import pytest

from ml_connector.engine import watermarks
from ml_connector.engine.database import Database
from ml_connector.engine.runs import Hold
from ml_connector.flows.orders import OrdersFlow
from ml_connector.flows.stock import StockFlow
from ml_connector.flows.stock_poll import StockPollFlow
from ml_connector.flows.stock_recount import StockRecountFlow
from tests.exactly_once.desk import Desk
from tests.stock.shelves import LATER, Shelves, StockRoom, Warehouse


def desk_of(database: Database, **in_stock: int) -> Desk:
    return Desk(database, Warehouse(**in_stock))


async def polls_have_passed(desk: Desk) -> None:
    """The orders' poll has gone on, and does not name again what was placed so far."""
    async with desk.database.connect() as connection:
        await watermarks.save(connection, 1, "orders", datetime.now(UTC) + LATER)


async def marked(desk: Desk) -> set[str]:
    return {row.key for row in await desk.all("SELECT key FROM records WHERE flow = 'stock' AND seq > done_seq")}


async def test_what_is_sold_under_one_sku_is_not_offered_under_another_of_the_item(database: Database) -> None:
    desk, shop = desk_of(database, X=5), Shelves(A=5, B=3)
    room = StockRoom(desk, shop, A="X", B="X")
    shop.sell(101, A=2)
    await room.runs(StockFlow(room), "B")
    assert shop.on_hand == {"A": 3, "B": 3}, "two of the five are sold"


async def test_an_order_lowers_the_other_skus_of_the_item_too(database: Database) -> None:
    """The store takes it off the SKU that was sold, and knows nothing of the other."""
    desk, shop = desk_of(database, X=5, Y=5), Shelves(A=5, B=5, Y=5)
    room = StockRoom(desk, shop, A="X", B="X", X="OTHER")
    shop.sell(101, A=2, Y=1)
    await room.runs(OrdersFlow(room), "101")
    assert await marked(desk) == {"B"}
    await room.runs(StockFlow(room), "B")
    assert shop.on_hand == {"A": 3, "B": 3, "Y": 4}
    await room.runs(OrdersFlow(room), "101")
    assert await marked(desk) == set(), "nothing new"


async def test_orders_that_wait_for_a_person_when_the_flow_is_switched_on_count_also_when_shipped(
    database: Database,
) -> None:
    """The merchant has shipped and completed an order that we could not post: the ERP still counts its goods."""
    desk, shop = desk_of(database, A=10), Shelves(A=8)
    room = StockRoom(desk, shop)
    shop.sell(101, status=10, A=3)
    shop.sell(102, status=10, A=1)
    await desk.do("INSERT INTO records (integration, flow, key, status) VALUES (1, 'orders', '101', 'held')")
    await desk.do("INSERT INTO records (integration, flow, key, status) VALUES (1, 'orders', '102', 'excluded')")
    await polls_have_passed(desk)
    await room.runs(StockPollFlow(room), "-")
    await room.runs(StockFlow(room), "A")
    assert shop.on_hand == {"A": 7}


@pytest.mark.parametrize("system", ["business_one", "s4hana"])
async def test_what_is_sold_while_the_flow_is_off_for_a_moment_counts(database: Database, system: str) -> None:
    """Between two polls nobody notices that it was off; its orders have left no note."""
    desk, shop = desk_of(database, A=10), Shelves(A=10)
    room = StockRoom(desk, shop, system=system)
    await room.runs(StockPollFlow(room), "-")
    on = dict(room.flows)
    room.flows = {name: on[name] for name in ("orders",)}
    shop.sell(101, A=3)
    await room.runs(OrdersFlow(room), "101")
    await polls_have_passed(desk)
    room.flows = on
    desk.books.in_stock["A"] = 14  # type: ignore[attr-defined]
    await room.runs(StockPollFlow(room), "-")
    await room.runs(StockFlow(room), "A")
    assert shop.on_hand == {"A": 11}


async def test_an_order_that_comes_while_everything_is_counted_is_no_drift(database: Database) -> None:
    desk, shop = desk_of(database, A=10, B=4), Shelves(A=10, B=9)
    room = StockRoom(desk, shop)
    shop.before_reading.append(lambda: shop.sell(101, A=3))
    await room.runs(StockRecountFlow(room), "-")
    async with database.connect() as connection:
        told = await watermarks.noted(connection, 1, "stock", "recount")
    assert (told["skus"], told["drifted"], told["first"]) == (2, 1, ["B"])
    assert await marked(desk) == {"B"}


@pytest.mark.parametrize("mapped", [{}, {"lamp-x": "Desk-Lamp"}])
async def test_a_scan_knows_the_skus_that_are_spelled_otherwise(database: Database, mapped: dict[str, str]) -> None:
    """The ERP's codes are in capitals; a change of such an item must not wait for the night."""
    desk, shop = desk_of(database, **{"LAMP-X": 4, "DESK-LAMP": 4}), Shelves(**{"lamp-x": 9})
    room = StockRoom(desk, shop, system="s4hana", **mapped)
    await room.runs(StockPollFlow(room), "-")
    await room.runs(StockRecountFlow(room), "-")
    await desk.do("DELETE FROM records WHERE key <> 'lamp-x'")
    await room.runs(StockFlow(room), "lamp-x")
    assert shop.on_hand == {"lamp-x": 4}
    await desk.do("UPDATE stock SET settles_at = NULL")
    desk.books.in_stock |= {"LAMP-X": 1, "DESK-LAMP": 1}  # type: ignore[attr-defined]
    await desk.do("UPDATE records SET done_seq = seq")
    await room.runs(StockPollFlow(room), "-")
    assert "lamp-x" in await marked(desk)


POSTED = """
INSERT INTO postings
  (integration, reference, connection, flow, record_key, kind, state, fingerprint, content, posted_at)
VALUES (1, 'BC-S1-{order}-I', 2, 'orders', '{order}', 'sales_invoice', 'checked', '', '{content}',
        statement_timestamp() - interval '{ago}')
"""


async def invoiced(desk: Desk, order: int, ago: str = "1 minute", **pieces: int) -> None:
    """The order was posted as it was then."""
    lines = [{"itemised": {"item": item, "quantity": str(count)}} for item, count in pieces.items()]
    content = json.dumps({"lines": [*lines, {"itemised": None}]})
    await desk.do(POSTED.format(order=order, content=content, ago=ago))


async def test_what_an_edit_adds_to_a_posted_order_is_not_offered_again(database: Database) -> None:
    """The invoice took three out of the ERP's stock; the order was edited to five since, and waits for a person."""
    desk, shop = desk_of(database, A=7), Shelves(A=10)
    room = StockRoom(desk, shop)
    shop.sell(101, A=5)
    await invoiced(desk, 101, A=3)
    await room.runs(StockFlow(room), "A")
    assert shop.on_hand == {"A": 5}
    await desk.do("UPDATE postings SET content = jsonb_set(content, '{lines,0,itemised,quantity}', '\"6\"')")
    await room.runs(StockFlow(room), "A")
    assert shop.on_hand == {"A": 7}, "less than what is posted takes nothing more"


async def test_notes_of_orders_that_are_in_the_books_do_not_pile_up(database: Database) -> None:
    """A SKU that sells every day must not be planned slower every day."""
    desk, shop = desk_of(database, A=10), Shelves(A=20)
    room = StockRoom(desk, shop)
    for order in (101, 102, 103, 104):
        shop.sell(order, A=1)
        await desk.do(
            "INSERT INTO records (integration, flow, key, status, seq, done_seq)"
            f" VALUES (1, 'orders', '{order}', 'synced', 1, 1)"
        )
    await room.runs(StockRecountFlow(room), "-")
    await invoiced(desk, 101, "2 days", A=1)
    await invoiced(desk, 102, "1 hour", A=1)
    await invoiced(desk, 103, "2 days", A=1)
    await desk.do("UPDATE records SET status = 'held' WHERE key = '103'")
    await room.runs(StockRecountFlow(room), "-")
    rows = await desk.all("SELECT DISTINCT order_key FROM stock_reserved ORDER BY 1")
    assert [row.order_key for row in rows] == ["102", "103", "104"]


async def test_a_location_that_the_store_does_not_have_costs_no_call_for_each_sku(database: Database) -> None:
    """Refused together, they would be tried in halves down to each alone, and each be held for a riddle."""
    skus = {f"S{number}": 5 for number in range(40)}
    desk, shop = desk_of(database, **skus), Shelves(**dict.fromkeys(skus, 1))
    room = StockRoom(desk, shop)
    room.warehouses = {"01": 9}
    run = await desk.claim(*skus, flow="stock")
    outcomes = await StockFlow(room).run(run)
    assert shop.calls == 0
    [hold] = {(each.kind, each.key, each.message) for each in outcomes.values() if isinstance(each, Hold)}
    assert hold[:2] == ("unmapped", "warehouses|9")
    assert "the store has no location 9" in hold[2]
    assert outcomes.keys() == skus.keys()
