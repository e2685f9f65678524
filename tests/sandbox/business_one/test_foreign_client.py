"""A client that others wrote works against the stand-in: ``b1sl-python``, an SDK for the Service Layer's v2."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from b1sl.b1sl import B1Client, B1Config
from b1sl.b1sl import entities as en
from b1sl.b1sl.exceptions.exceptions import B1SqlParamError, B1ValidationError, SAPConcurrencyError
from b1sl.b1sl.fields import Item
from b1sl.b1sl.models._generated.complex_types import DocumentLine
from b1sl.b1sl.resources.odata import F

from .client import ServiceLayer


@pytest.fixture
def foreign(b1: ServiceLayer) -> Iterator[B1Client]:
    known = b1.told.credentials
    config = B1Config(
        base_url=f"{b1.told.base_url}/b1s/v2",
        username=known["user"],
        password=known["password"],
        company_db=known["company_db"],
    )
    with B1Client(config) as client:
        yield client


def order(reference: str) -> en.Document:
    row = DocumentLine(item_code="PLATE", quantity=2, unit_price=10, vat_group="O825")
    return en.Document(
        card_code="WEB-GUEST", doc_due_date="2026-03-09", document_lines=[row], udfs={"U_MLC_REF": reference}
    )


def test_reads_pages_and_filters(foreign: B1Client) -> None:
    assert foreign.items.get("PLATE").item_name == "Plate"
    assert len(list(foreign.items.stream(page_size=7))) == foreign.items.count() == 24
    assert [each.item_code for each in foreign.items.filter(Item.item_code == "LAMP").top(5).execute()] == ["LAMP"]
    assert foreign.items.exists("NOTHING") is False


def test_posts_finds_by_reference_changes_and_cancels(foreign: B1Client, b1: ServiceLayer) -> None:
    made = foreign.orders.create(order("s:1:ord"))
    assert (made.doc_entry, made.doc_total) == (1, 21.65)
    assert [each.doc_entry for each in foreign.orders.filter(F.U_MLC_REF == "s:1:ord").execute()] == [1]
    foreign.orders.update(1, en.Document(comments="seen"))
    assert foreign.orders.get(1).comments == "seen"
    assert foreign.orders.get(1).udfs["U_MLC_REF"] == "s:1:ord"
    assert "U_MLC_REF" in foreign.orders.get_udf_schema("OINV")
    foreign.orders.action(1, "Cancel")
    assert b1.state("Orders")[0]["CancelStatus"] == "csYes"


def test_stale_entity_tag_is_a_conflict(foreign: B1Client, b1: ServiceLayer) -> None:
    foreign.orders.create(order("a"))
    foreign.orders.get(1)
    b1.control("POST", "/documents/Orders/1/edit", {"Comments": "somebody"})
    with pytest.raises(SAPConcurrencyError):
        foreign.orders.update(1, en.Document(comments="mine"))


def test_batches_with_change_sets(foreign: B1Client, b1: ServiceLayer) -> None:
    with foreign.batch() as batch:
        batch.items.top(1).execute()
        with batch.changeset() as together:
            together.items.create(en.Item(item_code="B001", item_name="New"))
            together.items.update("LAMP", en.Item(item_name="Renamed"))
        assert batch.execute().all_ok
    assert foreign.items.get("LAMP").item_name == "Renamed"
    with foreign.batch() as batch:
        with batch.changeset() as together:
            together.items.create(en.Item(item_code="B002", item_name="New"))
            together.items.create(en.Item(item_code="B001", item_name="There"))
        results = batch.execute()
    assert not results.all_ok
    assert foreign.items.exists("B002") is False
    with pytest.raises(B1ValidationError, match="already exists"):
        foreign.items.create(en.Item(item_code="B001", item_name="There"))


def test_logs_in_again_when_the_session_is_lost(foreign: B1Client, b1: ServiceLayer) -> None:
    assert foreign.items.exists("PLATE")
    b1.control("POST", "/drop_sessions")
    assert foreign.items.exists("PLATE")


def test_stored_sql(foreign: B1Client) -> None:
    text = "select T0.ItemCode, T0.OnHand from OITW T0 where T0.WhsCode = :w order by T0.ItemCode"
    foreign.sql_queries.create(en.SQLQuery(sql_code="S1", sql_name="S1", sql_text=text))
    assert foreign.sql_queries.describe("S1").params == ["w"]
    assert foreign.sql_queries.run("S1", w="02").has_more
    assert len(list(foreign.sql_queries.run_stream("S1", page_size=10, w="02"))) == 24
    with pytest.raises(B1SqlParamError):
        foreign.sql_queries.run("S1")
