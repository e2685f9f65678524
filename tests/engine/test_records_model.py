"""The queue against its own rules, whatever the order of events: hypothesis drives the real SQL.

The model knows for each record what every column of it must say, and for each run what it claimed; after every step
the table must agree. A mark that nobody will ever run, two runs of one record, a write of a fenced run: each would
show here as a state that no rule explains.

The clock of the database stands still until the model moves it (`clock.py`), so that leases lapse, back-offs end and
places in the queue are compared to the microsecond. Two connections at once: a mark or a release is left uncommitted
while a run writes what became of a record, which must wait for it and see it.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ml_connector.engine import postings, records, runs
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Fence, Found, Name, State
from ml_connector.engine.records import DEATHS_TO_PARK, STAMP_SETTLES_S, Claim, Finished, Lane, Status, Swept
from tests.engine.clock import START, pass_time, steer
from tests.engine.model_settings import explored
from tests.engine.test_postings import TIMING, blocked

LANE = Lane(1, "orders")
KEYS = st.sampled_from(["a", "b", "c", "d"])
LEASE_S, REST_S, WIDE_S = 60.0, 5.0, 100.0
BEHIND_S = (2.0, 10.0, 30.0)
MOMENTS = st.sampled_from([None, -1000.0, -500.0, 0.0])
"""Stamps of the source, before the start or at it."""


@dataclass
class Known:
    """What the model knows of one record. Times are seconds of the steered clock."""

    seq: int = 1
    done: int = 0
    attempts: int = 0
    deaths: int = 0
    suspect: bool = False
    dead: bool = False
    wakes: bool = True
    hold: tuple[str, str] | None = None
    want: float | None = None
    stamp: float | None = None
    behind: int = 0
    run_at: float | None = None
    rest_until: float | None = None

    def due_by(self, moment: float) -> None:
        """Places in the queue only improve (R10)."""
        self.run_at = moment if self.run_at is None else min(self.run_at, moment)


@dataclass
class Going:
    """A run as its worker remembers it. `alive` until it was swept."""

    claim: Claim
    left: set[str]
    lease_until: float
    alive: bool = True
    seen: dict[str, int] = field(default_factory=dict)


class Queue(RuleBasedStateMachine):
    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.loop = loop
        self.database = Database(url, application="model", pool_size=4)
        self.known: dict[str, Known] = {}
        self.runs: dict[int, Going] = {}
        self.ghosts: list[Going] = []  # swept, or ended
        self.open: dict[str, float] = {}  # records with a posting in flight, and its `resolve_at`
        self.now = 0.0
        self.epoch = 0
        self.resolver = Fence(1, 0)

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def execute(self, statement: str) -> Any:
        async with self.database.connect() as connection:
            done = await connection.execute(text(statement))
            return done.all() if done.returns_rows else None

    def teardown(self) -> None:
        self.do(self.database.close())

    @initialize()
    def empty(self) -> None:
        self.do(self.execute("TRUNCATE records, runs, postings"))
        self.do(self.execute("UPDATE integrations SET epoch = 0"))
        self.do(self.execute(f"UPDATE steered.clock SET now = '{START.isoformat()}'"))
        insert = "INSERT INTO runs VALUES (1, nextval('run_token'), 'resolver', 'w', '{}', 'infinity') RETURNING token"
        self.resolver = Fence(1, self.do(self.execute(insert))[0].token)

    # ------------------------------------------------------------- events

    @rule(seconds=st.sampled_from([1.0, REST_S, LEASE_S + 1, 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.do(pass_time(self.database, seconds))

    @rule(keys=st.sets(KEYS, min_size=1), want=MOMENTS)
    def mark(self, keys: set[str], want: float | None) -> None:
        async def work() -> None:
            async with self.database.transaction() as connection:
                await records.mark(connection, 1, "orders", keys, want=moment(want))

        self.do(work())
        self.marked(keys, want)

    @rule(batch=st.integers(1, 4), waits=st.booleans())
    def claim(self, batch: int, waits: bool) -> None:
        """`waits`: until something is due."""
        next_at = earliest(*(record.run_at for record in self.known.values()))
        if waits and next_at is not None and next_at > self.now:
            self.time_passes(round(next_at - self.now, 6))

        async def work() -> Claim | None:
            async with self.database.connect() as connection:
                return await records.claim(connection, LANE, worker="w", batch=batch, lease_s=LEASE_S)

        claim: Claim | None = self.do(work())
        due = {k: r.run_at for k, r in self.known.items() if r.run_at is not None and r.run_at <= self.now}
        if claim is None:
            assert not due, f"{due} should run and was not claimed"
            return
        keys = {record.key for record in claim.records}
        assert keys <= set(due), "claimed what is running, at rest, dead or not due"
        assert len(keys) <= batch
        assert min(due[key] for key in keys) == min(due.values()), "the first in the queue was passed over"
        if any(self.known[key].suspect for key in keys):
            assert len(keys) == 1, "a suspect runs alone"
        assert {record.key: record.seq for record in claim.records} == {key: self.known[key].seq for key in keys}
        assert claim.epoch == self.epoch
        for key in keys:
            self.known[key].run_at = None
        run = Going(claim, set(keys), self.now + LEASE_S, seen={record.key: record.seq for record in claim.records})
        self.runs[claim.token] = run

    @precondition(lambda self: self.runs or self.ghosts)
    @rule(stamp=MOMENTS, next_in_s=st.sampled_from([None, None, 60.0]), marked=st.booleans(), data=st.data())
    def finish(self, stamp: float | None, next_in_s: float | None, marked: bool, data: st.DataObject) -> None:
        """`marked`: a mark is on its way, not committed, when the run says that all is done."""
        run = self.some_run(data)
        keys = set(run.left) if run.alive else set()

        async def work() -> set[str]:
            done = [Finished(r.key, r.seq, moment(stamp), next_in_s=next_in_s) for r in run.claim.records]
            async with self.database.connect() as connection:
                return await records.finish(connection, LANE, run.claim.token, done, ends=True)

        if marked:
            first = {run.claim.records[0].key}
            written = self.do(self.meanwhile(lambda c: records.mark(c, 1, "orders", first), work()))
            self.marked(first, None)
        else:
            written = self.do(work())
        assert written == keys, "a fenced run finished a record, or a live one could not"
        for key in written:
            record, seen, opened = self.known[key], run.seen[key], self.open_until(key)
            behind = stamp is not None and record.want is not None and stamp < record.want and record.behind < 3
            if record.seq > seen:
                record.run_at = self.now
            elif behind:
                record.run_at = self.now + BEHIND_S[record.behind]
            else:
                record.run_at = earliest(None if next_in_s is None else self.now + next_in_s, opened)
            if not behind and opened is None:
                record.done = seen
            record.behind = record.behind + 1 if behind else 0
            record.stamp = latest(record.stamp, self.kept(stamp))
            record.attempts, record.deaths, record.suspect, record.wakes = 0, 0, False, True
            record.hold = record.rest_until = None
        self.end(run, written)

    @precondition(lambda self: self.runs or self.ghosts)
    @rule(wakes=st.booleans(), counts=st.booleans(), data=st.data())
    def fail(self, wakes: bool, counts: bool, data: st.DataObject) -> None:
        run = self.some_run(data)
        key = self.pick(run, data)

        async def work() -> bool:
            async with self.database.connect() as connection:
                return await records.fail(
                    connection, LANE, run.claim.token, key, run.seen[key], error="x", wakes=wakes, counts=counts
                )

        written = self.do(work())
        assert written is self.holds(run, key)
        if not written:
            return
        record = self.known[key]
        if record.seq > run.seen[key] and wakes:
            waits = REST_S
        elif not counts:
            waits = REST_S * 1.1  # throttled: never early, and no attempt
        else:
            waits = 0.75 * min(3600.0, REST_S * 2 ** min(record.attempts, 12))  # the mean of its jitter
        record.run_at, record.rest_until = self.now + waits, self.now + REST_S
        record.attempts += counts
        record.deaths, record.suspect, record.wakes = 0, False, wakes
        self.end(run, {key})

    @precondition(lambda self: self.runs or self.ghosts)
    @rule(wakes=st.booleans(), mapping=st.sampled_from(["", "", "saved", "being saved"]), data=st.data())
    def hold(self, wakes: bool, mapping: str, data: st.DataObject) -> None:
        """`mapping`: what the hold would wait for is saved before it is written, or just then, not yet committed."""
        run = self.some_run(data)
        key = self.pick(run, data)
        if mapping == "saved":
            self.save_mapping(key)

        async def work() -> Status | None:
            async with self.database.connect() as connection:
                return await records.hold(
                    connection, LANE, run.claim.token, key, run.seen[key], epoch=run.claim.epoch, kind="unmapped",
                    hold_key=key, message="", wakes=wakes,
                )  # fmt: skip

        if mapping == "being saved":
            status = self.do(self.meanwhile(lambda c: self.saving(c, key), work()))
            self.released(key)
        else:
            status = self.do(work())
        if not self.holds(run, key):
            assert status is None
            return
        record = self.known[key]
        moved = run.claim.epoch != self.epoch
        again = moved or (wakes and record.seq > run.seen[key])
        assert status is (Status.WAITING if again else Status.HELD), "held on what may have changed, or not held"
        record.run_at = self.now if moved else self.now + REST_S if again else self.open_until(key)
        record.hold = None if again else ("unmapped", key)
        record.wakes = again or wakes
        record.attempts, record.deaths, record.suspect, record.rest_until = 0, 0, False, self.now + REST_S
        self.end(run, {key})

    @precondition(lambda self: self.runs or self.ghosts)
    @rule(data=st.data(), keeps=st.booleans(), waits_for=st.sampled_from([None, "a", "b"]))
    def defer(self, keeps: bool, waits_for: str | None, data: st.DataObject) -> None:
        """Handed back, or waiting for the posting of some record, which may be in flight or settled (P4)."""
        run = self.some_run(data)
        key = self.pick(run, data)
        after_s = 0.0 if waits_for is None else WIDE_S
        reference = None if waits_for is None else f"D-{waits_for}"

        async def work() -> bool:
            async with self.database.connect() as connection:
                return await records.defer(
                    connection, LANE, run.claim.token, key, run.seen[key], after_s=after_s, waits_for=reference,
                    keeps_suspicion=keeps,
                )  # fmt: skip

        written = self.do(work())
        assert written is self.holds(run, key)
        if not written:
            return
        record = self.known[key]
        waits = reference is not None and waits_for in self.open
        record.hold = ("posting", reference) if waits and reference else None
        if reference is not None and not waits:
            record.run_at = self.now
        else:
            record.run_at = self.now + (min(after_s, REST_S) if record.seq > run.seen[key] else after_s)
        record.wakes = True
        if not keeps:
            record.deaths, record.suspect = 0, False
        self.end(run, {key})

    @precondition(lambda self: self.runs or self.ghosts)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        run = self.some_run(data)
        key = self.pick(run, data)

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
                return await self.saving(connection, key)

        found = self.do(work())
        record = self.known.get(key)
        held = record is not None and record.hold == ("unmapped", key) and not self.running(key) and not record.dead
        assert found == ({LANE: [key]} if held else {}), "a release missed its hold, or released another"
        self.released(key)

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
            record.attempts = record.deaths = record.behind = 0
            record.wakes, record.rest_until = True, None
            if not self.running(key):
                record.dead, record.hold = False, None
                record.due_by(self.now)

    @precondition(lambda self: self.runs or self.ghosts)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        """Also of a lease that has lapsed: while nobody has swept it, it is good (R2)."""
        run = self.some_run(data)

        async def work() -> list[int]:
            async with self.database.connect() as connection:
                parameters = {"integration": 1, "lease_s": LEASE_S, "tokens": [run.claim.token]}
                return list((await connection.execute(runs._RENEW, parameters)).scalars())

        assert bool(self.do(work())) is (run.claim.token in self.runs), "tokens are compared, never clocks"
        run.lease_until = self.now + LEASE_S

    @rule(lapses=st.sampled_from([False, False, True]))
    def sweep(self, lapses: bool) -> None:
        """Some worker died, or is so slow that its lease lapsed. It may still come back, as another rule."""
        if lapses:
            self.time_passes(LEASE_S + 1)

        async def work() -> Swept | None:
            async with self.database.transaction() as connection:
                return await records.sweep(connection)

        swept = self.do(work())
        lapsed = {token: run.lease_until for token, run in self.runs.items() if run.lease_until < self.now}
        if swept is None:
            assert not lapsed, "a dead worker keeps its records"
            return
        assert lapsed.get(swept.token) == min(lapsed.values()), "a run was taken from a living worker"
        run = self.runs.pop(swept.token)
        assert set(swept.statuses) == run.left, "a sweep took more or less than the run still held"
        lone = len(run.claim.records) == 1
        for key in run.left:
            record = self.known[key]
            record.suspect = True
            record.deaths += lone
            record.dead = lone and record.deaths >= DEATHS_TO_PARK
            record.run_at = None if record.dead else self.now
            assert swept.statuses[key] is (Status.DEAD if record.dead else Status.WAITING)
        run.alive = False
        self.ghosts.append(run)
        self.fenced_writes(run)

    @rule(keys=st.sets(KEYS, min_size=1, max_size=3))
    def a_worker_dies(self, keys: set[str]) -> None:
        self.mark(keys, None)
        self.claim(4, waits=True)
        self.sweep(lapses=True)

    @rule(key=KEYS)
    def a_posting_is_in_flight(self, key: str) -> None:
        if key in self.open:
            return
        self.do(
            self.execute(
                "INSERT INTO postings (integration, reference, connection, flow, record_key, kind, fingerprint,"
                " content, state, sent_at, resolve_at)"
                f" VALUES (1, 'D-{key}', 2, 'orders', '{key}', 'order', 'f', '{{}}',"
                f" 'uncertain', statement_timestamp(), statement_timestamp() + interval '{WIDE_S} s')"
                " ON CONFLICT (integration, reference, generation) DO UPDATE SET state = 'uncertain',"
                " version = postings.version + 1, resolve_at = excluded.resolve_at"
            )
        )
        self.open[key] = self.now + WIDE_S

    @rule(key=KEYS)
    def a_posting_is_resolved(self, key: str) -> None:
        """Whoever resolves it wakes who waits for it (P4), but for the dead (R12)."""
        if key not in self.open:
            return
        name = Name(f"D-{key}")

        async def work() -> set[Name]:
            async with self.database.connect() as connection:
                row = (await postings.read(connection, 1, [name.reference]))[name]
            return await postings.found(self.database, self.resolver, [Found(row, State.POSTED)], TIMING)

        assert self.do(work()) == {name}
        del self.open[key]
        for waiting, record in self.known.items():
            if record.hold == ("posting", name.reference) and not self.running(waiting) and not record.dead:
                record.hold = None
                record.due_by(self.now)

    # ------------------------------------------------------------- what must hold after every step

    @invariant()
    def the_table_agrees(self) -> None:
        rows = {row.key: row for row in self.do(self.execute("SELECT * FROM records"))}
        assert set(rows) == set(self.known)
        tokens = {row.token for row in self.do(self.execute("SELECT token FROM runs WHERE flow = 'orders'"))}
        assert tokens == set(self.runs)
        for key, record in self.known.items():
            row = rows[key]
            kept = Known(
                row.seq, row.done_seq, row.attempts, row.deaths, row.suspect, row.status == "dead", row.wakes,
                (row.hold_kind, row.hold_key) if row.hold_kind else None, seconds(row.want), seconds(row.stamp),
                row.behind, seconds(row.run_at), seconds(row.rest_until),
            )  # fmt: skip
            assert kept == record, key
            assert (row.token in tokens) if self.running(key) else row.token is None, key
            held = record.hold is not None and record.hold[0] == "unmapped"
            if record.done < record.seq and not record.dead and not self.running(key) and not held:
                assert row.run_at is not None, f"{key} has work that nothing will ever run"

    # ------------------------------------------------------------- parts

    async def meanwhile(self, first: Any, second: Coroutine[Any, Any, Any]) -> Any:
        """`second` begins while `first` is done and not committed; it waits where it must."""
        async with self.database.transaction() as connection:
            await first(connection)
            task = asyncio.ensure_future(second)
            watch = asyncio.ensure_future(blocked(self.database))
            await asyncio.wait([task, watch], return_when=asyncio.FIRST_COMPLETED)
            watch.cancel()
            await asyncio.wait([watch])
        return await task

    async def saving(self, connection: Any, key: str) -> dict[Lane, list[str]]:
        await records.raise_epoch(connection, 1)
        return await records.release(connection, 1, "unmapped", [key])

    def released(self, key: str) -> None:
        self.epoch += 1
        record = self.known.get(key)
        if record is not None and record.hold == ("unmapped", key) and not self.running(key) and not record.dead:
            record.hold, record.wakes, record.rest_until = None, True, None
            record.due_by(self.now)

    def marked(self, keys: set[str], want: float | None) -> None:
        for key in keys:
            record = self.known.get(key)
            if record is None:
                self.known[key] = Known(want=want, run_at=self.now)
                continue
            record.seq += 1
            if want is not None and record.want is not None and want > record.want:
                record.behind = 0
            record.want = latest(record.want, want)
            if not self.running(key) and record.wakes and not record.dead:
                record.hold = None
                record.due_by(max(self.now, record.rest_until or self.now))

    def kept(self, stamp: float | None) -> float | None:
        """A stamp that another edit may still get is kept as a moment earlier."""
        young = stamp is not None and stamp > self.now - STAMP_SETTLES_S
        return round(stamp - 1e-6, 6) if young and stamp is not None else stamp

    def open_until(self, key: str) -> float | None:
        return max(self.open[key], self.now + REST_S) if key in self.open else None

    def running(self, key: str) -> bool:
        return any(key in run.left for run in self.runs.values())

    def holds(self, run: Going, key: str) -> bool:
        return run.alive and key in run.left

    def some_run(self, data: st.DataObject) -> Going:
        """A living run mostly; now and then the ghost of one."""
        return data.draw(st.sampled_from([*list(self.runs.values()) * 4, *self.ghosts[-2:]]))

    def pick(self, run: Going, data: st.DataObject) -> str:
        """Any record that the run once claimed: also one that it has written already, or lost."""
        return data.draw(st.sampled_from(sorted(record.key for record in run.claim.records)))

    def end(self, run: Going, keys: set[str]) -> None:
        run.left -= keys
        if not run.left and run.claim.token in self.runs:

            async def work() -> None:
                async with self.database.connect() as connection:
                    await records.end_run(connection, 1, run.claim.token)

            self.do(work())
            del self.runs[run.claim.token]
            self.ghosts.append(run)
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


def moment(at: float | None) -> datetime | None:
    return None if at is None else START + timedelta(seconds=at)


def seconds(at: datetime | None) -> float | None:
    return None if at is None else round((at - START).total_seconds(), 6)


def earliest(*moments: float | None) -> float | None:
    return min((at for at in moments if at is not None), default=None)


def latest(*moments: float | None) -> float | None:
    return max((at for at in moments if at is not None), default=None)


def explore(url: str, *, examples: int, steps: int = 50) -> None:
    """Drives `Queue` on the database at `url` until hypothesis has seen enough, or found what no rule explains."""
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        await steer(url)
        database = Database(url)
        async with database.connect() as connection:
            await connection.execute(text("INSERT INTO integrations (integration, name) VALUES (1, 'test')"))
        await database.close()

    try:
        loop.run_until_complete(begin())
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            lambda: Queue(url, loop), settings=explored(examples=examples, steps=steps)
        )
    finally:
        loop.close()


def test_the_queue_keeps_its_rules_in_any_order_of_events(database_url: str) -> None:
    explore(database_url, examples=30)


@pytest.mark.parametrize(
    ("statement", "rule_text", "instead"),
    [
        pytest.param("FAIL", "AND token = :token", "", id="R2: token compared"),
        pytest.param("CLAIM", "CASE WHEN head THEN n = 1 ELSE NOT suspect END", "true", id="R7: suspects alone"),
    ],
)
def test_the_model_notices_a_rule_that_is_taken_away(
    database_url: str, statement: str, rule_text: str, instead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that accepts everything proves nothing. `make mutations` takes every rule away; here are two."""
    whole = str(getattr(records.sql, statement).text)
    assert rule_text in whole
    monkeypatch.setattr(records.sql, statement, text(whole.replace(rule_text, instead)))
    with pytest.raises((AssertionError, ExceptionGroup, DBAPIError)):
        explore(database_url, examples=50)
