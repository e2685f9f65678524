"""A document that is made by one write and booked by the next: once, wherever it ends in between (P14)."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from ml_connector.connectors.errors import NotSent
from ml_connector.domain.codec import document_to_json
from ml_connector.engine import postings
from ml_connector.engine.apply import Work, name_of, planned_from
from ml_connector.engine.database import Database
from ml_connector.engine.outcomes import Applied, Changed, Stopped, Waits
from ml_connector.engine.permit import SendPermit
from ml_connector.engine.records import sweep
from tests.conformance.drafts import TIMING, DraftErp, DraftLedger, draft_erp
from tests.conformance.stage import child_environment
from tests.exactly_once.desk import ERP, Books, Desk
from tests.planning.store import StoreOrder, captured, documents, plan

ORDER = replace(documents(plan(captured(StoreOrder().snapshot())))[0], source_digest="")
KEY = "10250"
POINTS = ("answer.read#1", "again.commit.b", "again.commit.a", "send.body_out#2", "answer.read#2", "posted.commit.b")


@pytest.fixture
async def erp() -> AsyncIterator[DraftErp]:
    async with draft_erp() as erp:
        yield erp


@pytest.fixture
async def desk(database: Database, erp: DraftErp) -> AsyncIterator[Desk]:
    ledger = DraftLedger(erp.url)
    yield Desk(database, cast("Books", ledger))
    await ledger.close()


def _books(erp: DraftErp) -> list[tuple[str, str]]:
    return [(each["reference"], each["state"]) for each in erp.documents.values()]


async def test_it_is_made_and_booked_in_one_run(desk: Desk, erp: DraftErp) -> None:
    assert await desk.run(KEY, ORDER) == Applied({ORDER.reference: "D1"})
    assert _books(erp) == [(ORDER.reference, "posted")]


@pytest.mark.crash
@pytest.mark.parametrize("rule", POINTS)
async def test_what_a_dead_run_has_made_is_booked_once(
    desk: Desk, erp: DraftErp, database_url: str, rule: str, tmp_path: Path
) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.conformance.drafts"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
        env=child_environment(ML_CONNECTOR_CRASH=f"{rule}:kill", ML_CONNECTOR_CRASH_LOG=str(tmp_path / "deaths")),
    )
    told = {"database": database_url, "url": erp.url, "key": KEY, "document": document_to_json(ORDER)}
    said, _ = await child.communicate(json.dumps(told).encode())
    assert child.returncode == -signal.SIGKILL, said.decode()
    assert erp.made == 1
    await _take_over(desk)
    booked = erp.released
    before = await desk.run(KEY, ORDER)
    if not booked:  # the release may still be on its way
        assert isinstance(before, Waits), before
        assert erp.released == 0
        await desk.horizon_passes()
        assert isinstance(await desk.run(KEY, ORDER), Applied)
    assert (erp.made, erp.released) == (1, 1)
    assert _books(erp) == [(ORDER.reference, "posted")]


async def test_a_release_whose_answer_is_lost_is_found(desk: Desk, erp: DraftErp) -> None:
    erp.loses_the_release = True
    assert isinstance(await desk.run(KEY, ORDER), Waits)
    assert isinstance(await desk.run(KEY, ORDER), Applied)
    assert (erp.made, erp.released) == (1, 1)


async def test_a_release_that_is_refused_is_made_again_and_the_document_is_not(desk: Desk, erp: DraftErp) -> None:
    erp.closed = True
    refused = await desk.run(KEY, ORDER)
    assert isinstance(refused, Stopped), refused
    assert refused.message == "the period is closed"
    erp.closed = False
    assert isinstance(await desk.run(KEY, ORDER), Applied)
    assert (erp.made, erp.released) == (1, 1)


async def test_what_says_something_else_by_now_is_not_booked(desk: Desk, erp: DraftErp) -> None:
    erp.closed = True
    assert isinstance(await desk.run(KEY, ORDER), Stopped)
    erp.closed = False
    erp.documents["D1"]["content"] = "changed by hand"
    held = await desk.run(KEY, ORDER)
    assert isinstance(held, Stopped), held
    assert "D1 exists in the ERP as unfinished" in held.message
    assert erp.released == 0


async def test_what_we_have_not_made_is_not_booked(desk: Desk, erp: DraftErp) -> None:
    erp.documents["H1"] = {
        "reference": ORDER.reference, "content": ORDER.fingerprint, "number": "H1", "state": "unfinished"
    }  # fmt: skip
    assert isinstance(await desk.run(KEY, ORDER), Stopped)
    assert (erp.made, erp.released) == (0, 0)


async def test_the_horizon_counts_from_the_second_write_and_a_run_that_was_taken_over_makes_none(desk: Desk) -> None:
    run = await desk.claim(KEY)
    planned = planned_from(ORDER, connection=ERP, flow="orders", work=Work(KEY, (ORDER,)))
    [row] = (await postings.plan(desk.database, run.fence, [planned])).values()
    permit = SendPermit(desk.database, run.fence, [row], TIMING, desk.watchdog)
    with pytest.raises(NotSent):
        await permit.again().arm()
    await permit.arm()
    [first] = permit.sent
    await permit.again().arm()
    [second] = permit.sent
    assert second.attempt == first.attempt
    assert second.resolve_at > first.resolve_at
    async with desk.database.connect() as connection:
        [stored] = (await postings.read(connection, 1, [ORDER.reference])).values()
    assert stored.name == name_of(ORDER)
    assert stored.resolve_at == second.resolve_at
    await _take_over(desk)
    with pytest.raises(NotSent):
        await permit.again().arm()
    permit.close()
    assert not isinstance(await desk.run(KEY, ORDER), Applied | Changed)


async def _take_over(desk: Desk) -> None:
    await desk.do("UPDATE runs SET lease_until = statement_timestamp() - interval '1 second'")
    async with desk.database.transaction() as connection:
        await sweep(connection)
