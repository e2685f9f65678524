"""P9: a note in the store whose answer was lost is written once more, when the lost one can no longer arrive."""

from collections.abc import Mapping

from ml_connector.connectors.errors import Transient
from ml_connector.engine import records
from ml_connector.engine.runs import Done, Fail
from ml_connector.flows.orders import OrdersFlow
from ml_connector.flows.write_back import LATE_S, WriteBackFlow
from tests.exactly_once.desk import Desk
from tests.exactly_once.shop import Room, Shop
from tests.planning.store import StoreOrder, captured

KEY = "10250"


class NotingShop(Shop):
    """Keeps the notes; `loses_answers`: and does not say so."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Mapping[str, str]] = []
        self.loses_answers = False

    async def note_documents(self, order_key: str, numbers: Mapping[str, str]) -> None:
        self.notes.append(numbers)
        if self.loses_answers:
            raise Transient("the line broke")


async def test_a_note_whose_answer_was_lost_is_written_again_when_the_lost_one_cannot_come(desk: Desk) -> None:
    shop = NotingShop()
    room = Room(desk, shop)
    shop.snapshots[KEY] = captured(StoreOrder().snapshot())
    assert isinstance(await room.runs(OrdersFlow(room), KEY), Done)
    shop.loses_answers = True
    assert isinstance(await room.runs(WriteBackFlow(room), KEY), Fail)
    assert (await desk.record(KEY, "write_back")).in_s > LATE_S - 5, "the older note could land on the newer one"
    async with desk.database.transaction() as connection:
        await records.mark(connection, 1, "write_back", [KEY])
    assert (await desk.record(KEY, "write_back")).in_s > LATE_S - 5, "a mark cut the wait"
    shop.loses_answers = False
    assert isinstance(await room.runs(WriteBackFlow(room), KEY), Done)
    assert len(shop.notes) == 2
    assert shop.notes[0] == shop.notes[1]


async def test_the_order_is_told_the_number_that_people_see(desk: Desk) -> None:
    """Also of a document whose answer was lost and that a look-up has found."""
    desk.books.shown = "INV-1007"
    for number, lost in ((10250, False), (10251, True)):
        key, shop = str(number), NotingShop()
        room = Room(desk, shop)
        shop.snapshots[key] = captured(StoreOrder(id=number).snapshot(), id=f"9{number}")
        desk.books.loses_answers = lost
        await room.runs(OrdersFlow(room), key)
        desk.books.loses_answers = False
        assert isinstance(await room.runs(OrdersFlow(room), key), Done)
        assert isinstance(await room.runs(WriteBackFlow(room), key), Done)
        [told] = shop.notes
        assert set(told.values()) == {"INV-1007"}
