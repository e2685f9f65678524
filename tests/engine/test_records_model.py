"""The queue against its own rules, whatever the order of events: hypothesis drives the real SQL.

The model knows for each record the marks heard, and for each run what it claimed; after every step the table must
agree with what the rules allow. A mark that nobody will ever run, two runs of one record, a write of a fenced run:
each would show here as a state that no rule explains.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ml_connector.engine import records, runs
from ml_connector.engine.database import Database
from ml_connector.engine.records import DEATHS_TO_PARK, Claim, Finished, Lane, Status, Swept

LANE = Lane(1, "orders")
KEYS = st.sampled_from(["a", "b", "c", "d"])


@dataclass
class Known:
    """What the model knows of one record."""

    seq: int = 0
    done: int = 0
    deaths: int = 0
    suspect: bool = False
    dead: bool = False
    held_for: str | None = None
    sleeps: bool = False  # in a back-off or hold that marks do not wake


@dataclass
class Going:
    """A run as its worker remembers it. `alive` until it was swept."""

    claim: Claim
    left: set[str]
    alive: bool = True
    seen: dict[str, int] = field(default_factory=dict)


class Queue(RuleBasedStateMachine):
    going = Bundle("going")

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.loop = loop
        self.database = Database(url, application="model", pool_size=2)
        self.known: dict[str, Known] = {}
        self.runs: dict[int, Going] = {}
        self.epoch = 0

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def execute(self, statement: str) -> Any:
        async with self.database.connect() as connection:
            return (
                (await connection.execute(text(statement))).all()
                if statement.startswith("SELECT")
                else (await connection.execute(text(statement)))
            )

    def teardown(self) -> None:
        self.do(self.database.close())

    @initialize()
    def empty(self) -> None:
        self.do(self.execute("TRUNCATE records, runs"))
        self.do(self.execute("UPDATE integrations SET epoch = 0"))

    # ------------------------------------------------------------- events

    @rule(keys=st.sets(KEYS, min_size=1))
    def mark(self, keys: set[str]) -> None:
        async def work() -> None:
            async with self.database.transaction() as connection:
                await records.mark(connection, 1, "orders", keys)

        self.do(work())
        for key in keys:
            record = self.known.setdefault(key, Known())
            record.seq += 1
            if not self.running(key) and not record.sleeps and not record.dead:
                record.held_for = None

    @rule(target=going, batch=st.integers(1, 4))
    def claim(self, batch: int) -> Going | None:
        async def work() -> Claim | None:
            # Every wait is over: what may run, is due. Time itself is not under test here.
            await self.execute("UPDATE records SET run_at = statement_timestamp() WHERE run_at IS NOT NULL")
            async with self.database.connect() as connection:
                return await records.claim(connection, LANE, worker="w", batch=batch, lease_s=3600)

        claim: Claim | None = self.do(work())
        due = {k for k, r in self.known.items() if not self.running(k) and not r.dead and not self.rests(r)}
        if claim is None:
            assert not due, f"{due} should run and was not claimed"
            return Going(Claim(LANE, -1, 0, (), None), set(), alive=False)  # type: ignore[arg-type]
        keys = {record.key for record in claim.records}
        assert keys <= due, "claimed what is running, at rest or dead"
        assert len(keys) <= batch
        if any(self.known[key].suspect for key in keys):
            assert len(keys) == 1, "a suspect runs alone"
        assert {record.key: record.seq for record in claim.records} == {key: self.known[key].seq for key in keys}
        for key in keys:
            self.known[key].sleeps = False
        run = Going(claim, set(keys), seen={record.key: record.seq for record in claim.records})
        self.runs[claim.token] = run
        return run

    @rule(run=going)
    def finish(self, run: Going) -> None:
        if not run.claim.records:
            return
        keys = set(run.left)

        async def work() -> set[str]:
            done = [Finished(r.key, r.seq) for r in run.claim.records]
            async with self.database.connect() as connection:
                return await records.finish(connection, LANE, run.claim.token, done, ends=True)

        written = self.do(work())
        assert written == (keys if run.alive else set()), "a fenced run finished a record, or a live one could not"
        for key in written:
            record = self.known[key]
            record.done, record.deaths, record.suspect = run.seen[key], 0, False
            record.held_for, record.sleeps = None, False
        self.end(run, written)

    @rule(run=going, wakes=st.booleans(), data=st.data())
    def fail(self, run: Going, wakes: bool, data: st.DataObject) -> None:
        key = self.pick(run, data)
        if key is None:
            return

        async def work() -> bool:
            async with self.database.connect() as connection:
                return await records.fail(connection, LANE, run.claim.token, key, run.seen[key], error="x", wakes=wakes)

        written = self.do(work())
        assert written is self.holds(run, key)
        if written:
            record = self.known[key]
            record.deaths, record.suspect, record.sleeps = 0, False, not wakes
            self.end(run, {key})

    @rule(run=going, wakes=st.booleans(), mapped_meanwhile=st.booleans(), data=st.data())
    def hold(self, run: Going, wakes: bool, mapped_meanwhile: bool, data: st.DataObject) -> None:
        key = self.pick(run, data)
        if key is None:
            return
        if mapped_meanwhile:
            self.save_mapping(key)

        async def work() -> Status | None:
            async with self.database.connect() as connection:
                return await records.hold(
                    connection, LANE, run.claim.token, key, run.seen[key], epoch=run.claim.epoch, kind="unmapped",
                    hold_key=key, message="", wakes=wakes,
                )  # fmt: skip

        status = self.do(work())
        if not self.holds(run, key):
            assert status is None
            return
        record = self.known[key]
        record.deaths, record.suspect = 0, False
        again = run.claim.epoch != self.epoch or (wakes and record.seq > run.seen[key])
        assert status is (Status.WAITING if again else Status.HELD), "held on what may have changed, or not held"
        record.held_for, record.sleeps = (None, False) if again else (key, not wakes)
        self.end(run, {key})

    @rule(run=going, data=st.data(), keeps=st.booleans())
    def hand_back(self, run: Going, keeps: bool, data: st.DataObject) -> None:
        key = self.pick(run, data)
        if key is None:
            return

        async def work() -> bool:
            async with self.database.connect() as connection:
                return await records.defer(
                    connection, LANE, run.claim.token, key, run.seen[key], after_s=0, keeps_suspicion=keeps
                )

        written = self.do(work())
        assert written is self.holds(run, key)
        if written:
            record = self.known[key]
            record.sleeps, record.held_for = False, None
            if not keeps:
                record.deaths, record.suspect = 0, False
            self.end(run, {key})

    @rule(run=going, data=st.data())
    def park(self, run: Going, data: st.DataObject) -> None:
        key = self.pick(run, data)
        if key is None:
            return

        async def work() -> bool:
            async with self.database.connect() as connection:
                return await records.park(connection, LANE, run.claim.token, key, error="poison")

        written = self.do(work())
        assert written is self.holds(run, key)
        if written:
            self.known[key].dead, self.known[key].suspect = True, False
            self.end(run, {key})

    @rule(key=KEYS)
    def save_mapping(self, key: str) -> None:
        async def work() -> dict[Lane, list[str]]:
            async with self.database.transaction() as connection:
                await records.raise_epoch(connection, 1)
                return await records.release(connection, 1, "unmapped", [key])

        released = self.do(work())
        self.epoch += 1
        record = self.known.get(key)
        held = record is not None and record.held_for == key and not self.running(key)
        assert released == ({LANE: [key]} if held else {}), "a release missed its hold, or released another"
        if record is not None and held:
            record.held_for, record.sleeps = None, False

    @rule(key=KEYS)
    def replay(self, key: str) -> None:
        async def work() -> list[str]:
            async with self.database.transaction() as connection:
                return await records.replay(connection, 1, "orders", [key])

        found = self.do(work())
        record = self.known.get(key)
        assert found == ([key] if record else [])
        if record:
            record.seq += 1
            record.deaths = 0
            record.sleeps = False
            if not self.running(key):
                record.dead, record.held_for = False, None

    @rule(run=going)
    def renew(self, run: Going) -> None:
        if not run.claim.records:
            return

        async def work() -> list[int]:
            async with self.database.connect() as connection:
                parameters = {"integration": 1, "lease_s": 3600, "tokens": [run.claim.token]}
                return list((await connection.execute(runs._RENEW, parameters)).scalars())

        assert bool(self.do(work())) is (run.alive and run.claim.token in self.runs)

    @rule(run=consumes(going))
    def sweep(self, run: Going) -> None:
        """The worker of this run died, or is so slow that its lease lapsed. It may still come back, as another rule."""
        if run.claim.token not in self.runs:
            return

        async def work() -> Swept | None:
            await self.execute(f"UPDATE runs SET lease_until = '-infinity' WHERE token = {run.claim.token}")
            async with self.database.transaction() as connection:
                return await records.sweep(connection)

        swept = self.do(work())
        assert swept is not None
        assert swept.token == run.claim.token
        assert set(swept.statuses) == run.left, "a sweep took more or less than the run still held"
        lone = len(run.claim.records) == 1
        for key in run.left:
            record = self.known[key]
            record.suspect = True
            record.deaths += lone
            record.dead = lone and record.deaths >= DEATHS_TO_PARK
            assert swept.statuses[key] is (Status.DEAD if record.dead else Status.WAITING)
        run.alive = False
        del self.runs[run.claim.token]
        self.fenced_writes(run)

    # ------------------------------------------------------------- what must hold after every step

    @invariant()
    def the_table_agrees(self) -> None:
        rows = {row.key: row for row in self.do(self.execute("SELECT * FROM records"))}
        assert set(rows) == set(self.known)
        tokens = {row.token for row in self.do(self.execute("SELECT token FROM runs"))}
        assert tokens == set(self.runs)
        for key, record in self.known.items():
            row = rows[key]
            assert (row.seq, row.done_seq) == (record.seq, record.done), key
            assert (row.deaths, row.suspect) == (record.deaths, record.suspect), key
            assert (row.token in tokens) if self.running(key) else row.token is None, key
            assert (row.status == "dead") is record.dead, key
            unfinished = record.done < record.seq
            if unfinished and not record.dead and not self.running(key) and record.held_for is None:
                assert row.run_at is not None, f"{key} has work that nothing will ever run"
            if record.held_for is not None and not self.running(key):
                assert (row.status, row.hold_key) == ("held", record.held_for), key

    # ------------------------------------------------------------- parts

    def running(self, key: str) -> bool:
        return any(key in run.left for run in self.runs.values())

    def rests(self, record: Known) -> bool:
        return record.held_for is not None or record.done == record.seq

    def holds(self, run: Going, key: str) -> bool:
        return run.alive and key in run.left

    def pick(self, run: Going, data: st.DataObject) -> str | None:
        """Any record that the run once claimed: also one that it has written already, or lost."""
        keys = sorted(record.key for record in run.claim.records)
        return data.draw(st.sampled_from(keys)) if keys else None

    def end(self, run: Going, keys: set[str]) -> None:
        run.left -= keys
        if not run.left and run.claim.token in self.runs:

            async def work() -> None:
                async with self.database.connect() as connection:
                    await records.end_run(connection, 1, run.claim.token)

            self.do(work())
            del self.runs[run.claim.token]
            run.alive = False

    def fenced_writes(self, run: Going) -> None:
        """The swept worker wakes up and writes all it can: nothing of it may stand."""

        async def work() -> None:
            before = await self.execute("SELECT * FROM records ORDER BY key")
            async with self.database.connect() as connection:
                done = [Finished(r.key, r.seq) for r in run.claim.records]
                assert await records.finish(connection, LANE, run.claim.token, done, ends=True) == set()
                for record in run.claim.records:
                    assert not await records.fail(
                        connection, LANE, run.claim.token, record.key, record.seq, error="", wakes=True
                    )
            assert await self.execute("SELECT * FROM records ORDER BY key") == before

        self.do(work())


def explore(url: str, **options: Any) -> None:
    """Drives `Queue` on the database at `url` until hypothesis has seen enough, or found what no rule explains."""
    loop = asyncio.new_event_loop()

    async def integration() -> None:
        database = Database(url)
        async with database.connect() as connection:
            await connection.execute(
                text("INSERT INTO integrations (integration, name) VALUES (1, 'test') ON CONFLICT DO NOTHING")
            )
        await database.close()

    try:
        loop.run_until_complete(integration())
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            lambda: Queue(url, loop),
            settings=settings(
                stateful_step_count=40, deadline=None, database=None, suppress_health_check=list(HealthCheck), **options
            ),
        )
    finally:
        loop.close()


def test_the_queue_keeps_its_rules_in_any_order_of_events(database_url: str) -> None:
    explore(database_url, max_examples=80)


@pytest.mark.parametrize(
    ("statement", "rule_text", "instead"),
    [
        pytest.param("FINISH", "r.seq > l.seen", "false", id="R1: seq compared"),
        pytest.param("FAIL", "AND token = :token", "", id="R2: token compared"),
        pytest.param("HOLD", "epoch <> :epoch", "CAST(:epoch AS bigint) < 0", id="R5: gate"),
        pytest.param("CLAIM", "CASE WHEN head THEN n = 1 ELSE NOT suspect END", "true", id="R7: suspects alone"),
        pytest.param("SWEEP", "r.deaths + l.lone::int", "r.deaths + 1", id="R7: lone deaths only"),
        pytest.param("MARK", "AND r.status <> 'dead'", "", id="R12: dead is loud"),
    ],
)
def test_the_model_notices_a_rule_that_is_taken_away(
    database_url: str, statement: str, rule_text: str, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that accepts everything proves nothing: without a rule it must fail."""
    whole = str(getattr(records.sql, statement).text)
    assert rule_text in whole
    monkeypatch.setattr(records.sql, statement, text(whole.replace(rule_text, instead)))
    with pytest.raises((AssertionError, ExceptionGroup, DBAPIError)):
        explore(database_url, max_examples=300, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
