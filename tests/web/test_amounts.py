"""The money of an order in three books, line by line: store, plan and ERP."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from ml_connector.connectors.bigcommerce.wire import snapshot_from
from ml_connector.desk.amounts import Amounts, amounts_of
from ml_connector.domain.access import Role
from ml_connector.domain.codec import document_to_json
from ml_connector.domain.documents import Document, Documents
from ml_connector.engine import labels
from ml_connector.engine.labels import Label
from ml_connector.engine.postings import Posting, State
from ml_connector.engine.rows import Work, planned_from
from ml_connector.engine.views.amounts import Kept
from ml_connector.flows.order_sums import sums_of
from ml_connector.sandbox.process import SandboxProcess
from tests.connectors.s4hana.documents import order, payment
from tests.golden.test_golden import FOLDER, PATHS, load, planned
from tests.web.books import LONG_AGO, Books, books, dearer, erp_process
from tests.web.visitors import COOKIE, Visitor, session, user

SUMS = (
    ("goods", "", "66.0000"), ("discounts", "", "-6.0000"), ("shipping", "", "7.5000"),
    ("tax", "TX Sales Tax|8.25", "5.0512"), ("rest", "", "-0.0012"), ("total", "", "72.5500"),
    ("capture", "90100211", "72.5500"),
)  # fmt: skip


def posting(document: Document, state: State = State.CHECKED, *, adopted: bool = False) -> Posting:
    """As a row of it would be read."""
    made = planned_from(document, connection=2, flow="orders", work=Work("1", ()))
    now = datetime.now(UTC)
    return Posting(
        made.name, 1, 2, "orders", "1", made.kind, made.step, made.reverses, state, 1, 1, None, None, made.fingerprint,
        (), document_to_json(document), None, None, "1", None, 1, 1, adopted, None, now, None, None, now,
    )  # fmt: skip


def shown(sums: Any, codes: Any, made: list[Posting]) -> Amounts:
    kept = Kept("USD", [(kind, name, Decimal(told)) for kind, name, told in sums], codes)
    found = amounts_of(kept, made, {}, None)
    assert found is not None
    return found


def rows(found: Amounts) -> dict[str, tuple[str, str, str, str]]:
    def told(value: Decimal | None) -> str:
        return "" if value is None else f"{value:.2f}"

    return {row.label: (told(row.store), told(row.plan), told(row.erp), told(row.difference)) for row in found.rows}


CODES = {("TX Sales Tax", Decimal("8.25")): "O1"}


def test_what_was_read_back_stands_beside_store_and_plan() -> None:
    found = rows(shown(SUMS, CODES, [posting(order()), posting(payment())]))
    assert found == {
        "Goods": ("66.00", "66.00", "66.00", "0.00"),
        "Discounts": ("-6.00", "-6.00", "-6.00", "0.00"),
        "Shipping": ("7.50", "7.50", "7.50", "0.00"),
        "Tax: TX Sales Tax 8.25 % (O1)": ("5.05", "5.05", "5.05", "0.00"),
        "Total": ("72.55", "72.55", "72.55", "0.00"),
        "Payment 90100211": ("72.55", "72.55", "72.55", "0.00"),
    }


def test_what_the_store_changed_since_is_a_difference() -> None:
    same = [row for row in SUMS if row[0] not in ("goods", "total")]
    changed = [("goods", "", "68.00"), *same, ("total", "", "74.55")]
    found = rows(shown(changed, CODES, [posting(order())]))
    assert found["Goods"] == ("68.00", "66.00", "66.00", "-2.00")
    assert found["Total"][3] == "-2.00"
    assert found["Shipping"][3] == "0.00"


@pytest.mark.parametrize(
    ("state", "adopted", "words"),
    [
        (State.PLANNED, False, "not posted"),
        (State.REJECTED, False, "not posted"),
        (State.UNCERTAIN, False, "?"),
        (State.HELD, False, "?"),
        (State.POSTED, True, "?"),
    ],
)
def test_what_is_not_known_is_not_said(state: State, adopted: bool, words: str) -> None:
    found = shown(SUMS, CODES, [posting(order(), state, adopted=adopted)])
    total = next(row for row in found.rows if row.label == "Total")
    assert (total.erp, total.words, total.difference) == (None, words, None)


def test_a_row_that_only_the_erp_has_is_a_difference() -> None:
    without = [row for row in SUMS if row[0] != "shipping"]
    assert rows(shown(without, CODES, [posting(order())]))["Shipping"] == ("", "7.50", "7.50", "7.50")


@pytest.mark.skipif(not FOLDER, reason="GOLDEN_DIR does not name the folder of the golden examples")
@pytest.mark.parametrize("style", ["journal", "sales"])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_store_and_plan_agree_on_every_worked_example(path: Path, style: Literal["journal", "sales"]) -> None:
    """Two ways of reading one order, one for books and one for people."""
    example = load(path)
    made = planned(example, style) if style in example["expected"] else None
    if not isinstance(made, Documents) or not made.documents:
        return
    taxes = reversed(example["mapping"].get("taxes", []))
    codes = {(str(tax["name"]), Decimal(str(tax["rate"]))): str(tax["tax_code"]) for tax in taxes}
    snapshot = snapshot_from(example["input"])
    kept = Kept(snapshot.order.currency, [(a, b, Decimal(c)) for a, b, c in sums_of(snapshot)], codes)
    found = amounts_of(kept, [posting(each) for each in made.documents], {}, None)
    assert found is not None
    assert [(row.label, row.store, row.plan, row.erp) for row in found.rows if row.difference] == []


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with erp_process() as running:
        yield running


@pytest.fixture
async def shop(database_url: str, process: SandboxProcess) -> AsyncIterator[Books]:
    async with books(database_url, process) as made:
        yield made


async def test_the_page_shows_what_the_erp_holds_when_it_is_asked(shop: Books) -> None:
    """Somebody took two dollars off there; until it is read, the page says that it does not know."""
    number = await shop.post(order())
    await shop.row(dearer(order(), "2.00"), key="10250", state="posted", number=number, posted_at=LONG_AGO)
    await shop.record("10250", status="synced")
    async with shop.served.database.connect() as sql:
        label = Label("10250", "10250", total=Decimal("74.55"), currency="USD", stamp=datetime.now(UTC), sums=(
            ("goods", "", "68.0000"), *SUMS[1:5], ("total", "", "74.5500"),
        ))  # fmt: skip
        await labels.note(sql, 1, "orders", [label])
    someone = await user(shop.served, Role.viewer, "ann")
    ann = Visitor(shop.served, {COOKIE: await session(shop.served, someone)})
    kept = (await ann.get("/records/1/orders/10250")).text
    assert '<th scope="row">Goods</th><td class="n">68.00</td><td class="n">68.00</td><td class="n">68.00</td>' in kept
    assert "Not all of it was read back yet" in kept
    asked = (await ann.get("/records/1/orders/10250?look=1")).text
    assert '<th scope="row">Goods</th><td class="n">68.00</td><td class="n">68.00</td><td class="n">66.00</td>' in asked
    assert asked.count("−2.00") == 2, "goods, and the total"
    assert "was read just now" in asked
    await shop.row(payment(), key="10250", state="checked", number="0/1710/2026", posted_at=LONG_AGO)
    gone = (await ann.get("/records/1/orders/10250?look=1")).text
    assert (
        '<th scope="row">Payment 90100211</th><td class="n">–</td><td class="n">72.55</td><td class="n">0.00</td>'
        in gone
    )
    shop.erp.fault("status", path="OPLACCTG", method="GET", status=503)
    away = await ann.get("/records/1/orders/10250?look=1")
    assert away.status == 200
    assert "could not be read" in away.text
