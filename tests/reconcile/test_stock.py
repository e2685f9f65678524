"""`ml-connector reconcile` over stock, with each ERP: every planted fault is named by its SKU and cause, none else."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml_connector.sandbox.process import SandboxProcess
from tests.reconcile.stockroom import FROM, Stockroom

SYSTEMS = ("s4hana", "business_one")
AT_FIRST = {"HAND": 7, "SOLD": 8, "GONE": 9, "LOST": 4, "OLD": 3, **{f"FINE-{n}": n for n in range(1, 8)}}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(["bigcommerce", *SYSTEMS]) as running:
        yield running


@pytest.fixture(params=SYSTEMS)
def room(request: pytest.FixtureRequest, sandbox: SandboxProcess, database_url: str, tmp_path: Path) -> Stockroom:
    return Stockroom(request.param, sandbox, database_url, tmp_path)


def found(said: Any) -> dict[str, str]:
    """SKU -> cause of everything that is not equal, whether it is a difference or on its way."""
    return {each["sku"]: each["cause"] for each in (*said["differences"], *said["open"])}


async def test_each_planted_fault_is_named_by_its_sku_and_cause(room: Stockroom) -> None:
    shelves = {**dict.fromkeys(AT_FIRST, 1), "OWN": 5, "NOTHING": 0}
    await room.open(shelves, {**AT_FIRST, "ELSEWHERE": 11})
    never = await room.reconcile()
    assert found(never) == {**dict.fromkeys(set(AT_FIRST) - {"FINE-1"}, "late"), "OWN": "left_out"}, "nobody works"
    with room.worker():
        await room.settled("left_out", "not_in_erp_not_offered")
    whole = await room.reconcile()
    assert whole["ties"]
    assert whole["by_state"] == {"equal": len(AT_FIRST), "left_out": 1, "not_in_erp_not_offered": 1}
    assert whole["items_not_sold"] >= 1
    assert found(whole) == {"OWN": "left_out"}

    after = room.on_hand() | {"HAND": 2}
    del after["LOST"]
    room.stock_the_store(after)
    left = {**AT_FIRST, "SOLD": 6}
    del left["GONE"]
    room.stock_the_erp(left)
    room.discontinue("OLD")
    faults = {"HAND": "changed_in_store", "GONE": "not_in_erp", "LOST": "not_in_store"}
    on_the_way = {"SOLD": "waiting", "OLD": "waiting", "OWN": "left_out"}
    planted = await room.reconcile()
    assert not planted["ties"]
    assert found(planted) == {**faults, **on_the_way}
    assert {each["sku"] for each in planted["differences"]} == faults.keys()
    [hand] = [each for each in planted["differences"] if each["sku"] == "HAND"]
    [place] = hand["locations"]
    assert (place["store"], place["expected"], place["ours"], place["difference"]) == (2, 7, 7, -5)
    assert planted["pieces"] == 5 + 9 + 4

    late = await room.reconcile("--lag", "0")
    assert found(late) == {**faults, "SOLD": "late", "OLD": "discontinued", "OWN": "left_out"}

    table = (await room.cli.run("reconcile", "--from", FROM, "--csv")).out
    rows = [row for row in csv.DictReader(io.StringIO(table)) if row["section"] == "stock"]
    assert {(row["sku"], row["cause"]) for row in rows} == set(faults.items())
    text = (await room.cli.run("reconcile", "--from", FROM)).said
    assert "Stock does NOT tie" in text
    assert "changed in the store by something else than us" in text
    assert (await room.cli.run("reconcile", "--from", FROM, "--no-stock")).status == 0

    healed = await room.cli.run("reconcile", "--from", FROM, "--heal", "--json")
    assert healed.json["integrations"][0]["marked_skus"] == ["HAND"]
    with room.worker():
        await room.settled("left_out", "not_in_erp_not_offered", "not_in_erp", "not_in_store")
    assert room.on_hand() == {**after, "HAND": 7, "SOLD": 6, "OLD": 0}
