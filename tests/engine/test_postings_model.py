"""Postings against their own rules, whatever the order of events: hypothesis drives the real SQL.

The ERP is a plain list of documents, its requests are on their way until they are committed, refused or lost. Two runs
look up and act on what they have read, in any order, late or early; runs are swept and go on as ghosts; people delete
and decide. The model knows for each call whether it must be granted: it is compared with what the statement did, and
after every step the table must say what the model says. What the rules are for is asserted on the ERP itself: at most
one live document of ours under a reference, one live generation.

The clock of the database stands still until the model moves it (`clock.py`), so that every boundary is met exactly.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

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

from ml_connector.connectors.base import Timing
from ml_connector.engine import postings, records
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Answer, Counted, Fence, Found, Name, Planned, Posting, Sent, State, Step
from tests.engine.clock import START, pass_time, steer
from tests.engine.model_settings import explored

TIMING = Timing(p_s=2, t_s=10, l_s=10, v_s=3, s_s=0)
# The third is the second, changed in place: the ERP's document gets the name with the content.
ORDERS = tuple(Name("S1-O1", generation) for generation in (1, 2, 3))
REVERSALS = tuple(Name("S1-XO1", generation) for generation in (1, 2))
OPEN, LIVE = (State.SENDING, State.UNCERTAIN), (State.POSTED, State.CHECKED)


@dataclass
class Row:
    """What the model knows of a posting. Times are seconds of the steered clock."""

    state: State = State.PLANNED
    version: int = 0
    attempt: int = 0
    content: str = "a"
    sent_at: float | None = None
    resolve_at: float | None = None
    count_at: float | None = None
    recount_at: float | None = None
    numbered: bool = False


@dataclass
class Request:
    """An attempt on its way. `left_at`: its first byte. `outcome`: committed, refused or lost, once that is decided."""

    name: Name
    sent: Sent
    run: "Run"
    content: str
    left_at: float | None = None
    outcome: str = ""
    answered: bool = False


@dataclass
class Document:
    name: Name
    content: str
    committed_at: float
    ours: bool = True


@dataclass
class Look:
    """Rows as read, then what the ERP showed, at `at`."""

    at: float
    rows: Mapping[Name, Posting]
    seen: Mapping[Name, tuple[Document, ...]]


@dataclass
class Run:
    fence: Fence
    alive: bool = True
    look: Look | None = None


@dataclass
class Erp:
    documents: list[Document] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def commit(self, name: Name, content: str, now: float) -> str:
        """What becomes of a request that the ERP takes up: a change in place needs what it changes."""
        if name == ORDERS[2]:
            undone = any(d.name == REVERSALS[1] for d in self.documents)
            changed = next((d for d in self.documents if d.name == ORDERS[1] and d.ours and not undone), None)
            if changed is None:
                return "refused"
            self.documents.remove(changed)
        self.documents.append(Document(name, content, now))
        return "committed"

    def live(self) -> list[Name]:
        """Orders of ours that nothing of ours reverses."""
        reversed_ = {d.name.generation for d in self.documents if d.name in REVERSALS}
        return [d.name for d in self.documents if d.ours and d.name in ORDERS and d.name.generation not in reversed_]


class Ledger(RuleBasedStateMachine):
    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.loop = loop
        self.database = Database(url, application="model", pool_size=2)
        self.rows: dict[Name, Row] = {}
        self.erp = Erp()
        self.now = 0.0
        self.runs: list[Run] = []

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def execute(self, statement: str) -> None:
        async with self.database.connect() as connection:
            await connection.execute(text(statement))

    @initialize()
    def empty(self) -> None:
        self.do(self.execute("TRUNCATE postings, records, runs"))
        self.do(self.execute(f"UPDATE steered.clock SET now = '{START.isoformat()}'"))
        self.runs = [self.new_run(), self.new_run()]
        self.plan(self.runs[0], ORDERS[0])

    def teardown(self) -> None:
        try:
            if self.runs:
                self.everything_resolves()
        finally:
            self.do(self.database.close())

    # ------------------------------------------------------------- time, the ERP, people

    @rule(seconds=st.sampled_from([1, TIMING.p_s, TIMING.v_s, TIMING.t_s + TIMING.l_s, TIMING.h_s, 2 * TIMING.h_s]))
    def time_passes(self, seconds: float) -> None:
        """What the ERP owes by then, it has decided: T + L is its promise, P is ours."""
        self.now += seconds
        self.do(pass_time(self.database, seconds))
        for request in self.on_their_way():
            if request.left_at is not None and self.now > request.left_at + TIMING.t_s + TIMING.l_s:
                request.outcome = "lost"

    @precondition(lambda self: any(self.at_the_door()))
    @rule(data=st.data())
    def the_first_byte_leaves(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(list(self.at_the_door())))
        request.left_at = self.now

    @precondition(lambda self: any(r.left_at is not None for r in self.on_their_way()))
    @rule(data=st.data(), outcome=st.sampled_from(["committed", "committed", "refused", "lost"]))
    def the_erp_decides(self, data: st.DataObject, outcome: str) -> None:
        request = data.draw(st.sampled_from([r for r in self.on_their_way() if r.left_at is not None]))
        request.outcome = outcome
        if outcome == "committed":
            request.outcome = self.erp.commit(request.name, request.content, self.now)

    @precondition(lambda self: len(self.erp.documents) < 4)
    @rule(content=st.sampled_from(["a", "foreign"]))
    def somebody_else_books(self, content: str) -> None:
        self.erp.documents.append(Document(ORDERS[0], content, self.now, ours=False))

    @precondition(lambda self: self.erp.documents)
    @rule(data=st.data())
    def somebody_deletes(self, data: st.DataObject) -> None:
        self.erp.documents.remove(data.draw(st.sampled_from(self.erp.documents)))

    @rule(name=st.sampled_from([*ORDERS, *REVERSALS]), state=st.sampled_from([State.POSTED, State.VOID, State.PLANNED]))
    def a_person_decides(self, name: Name, state: State) -> None:
        """After a look at the ERP: `gone` of what is there would be a lie, `right` of what is not there too."""
        row = self.rows.get(name)
        if row is None:
            return
        there = any(d.name == name for d in self.erp.documents)
        if there != (state is State.POSTED) and state is not State.PLANNED:
            return
        granted = (
            row.state
            in {
                State.PLANNED: (State.HELD, State.REJECTED),
                State.POSTED: (State.HELD,),
                State.VOID: (State.HELD, *LIVE, State.REJECTED, State.PLANNED),
            }[state]
        )

        async def work() -> bool:
            async with self.database.transaction() as connection:
                posting = (await postings.read(connection, 1, [name.reference]))[name]
                return await postings.decide(connection, posting, state, why="a person said so")

        assert self.do(work()) is granted, f"{state} of what is {row.state}"
        if granted:
            self.change(row, state, count_at=row.recount_at if state is State.POSTED else None)

    # ------------------------------------------------------------- runs

    @rule(which=st.integers(0, 1))
    def a_run_is_swept(self, which: int) -> None:
        """Its ghost goes on for one look more: whatever it writes must be refused."""
        ghost = self.runs[which]
        statement = f"UPDATE runs SET lease_until = '-infinity' WHERE token = {ghost.fence.token}"

        async def work() -> records.Swept | None:
            await self.execute(statement)
            async with self.database.transaction() as connection:
                return await records.sweep(connection)

        swept = self.do(work())
        assert swept is not None
        assert swept.token == ghost.fence.token
        ghost.alive = False
        if ghost.look is not None:
            self.act_on_look(ghost)
        self.plan(ghost, ORDERS[0])
        self.runs[which] = self.new_run()

    @rule(which=st.integers(0, 1), name=st.sampled_from([*ORDERS, *REVERSALS]))
    def a_run_plans(self, which: int, name: Name) -> None:
        self.plan(self.runs[which], name)

    @rule(which=st.integers(0, 1), content=st.sampled_from("ab"))
    def a_run_replans(self, which: int, content: str) -> None:
        run = self.runs[which]
        if run.look is None:
            return
        for name, posting in run.look.rows.items():
            row = self.rows[name]
            granted = self.fresh(run, posting) and row.state in (State.PLANNED, State.REJECTED)
            changed = self.do(postings.replan(self.database, run.fence, [(posting, planned(name, content))]))
            assert changed == ({name} if granted else set()), f"content of {name} while it is {row.state}"
            if granted:
                self.change(row, State.PLANNED)
                row.content = content

    @rule(which=st.integers(0, 1), stale=st.booleans())
    def a_run_looks(self, which: int, stale: bool) -> None:
        """`stale`: the look-up shows only what was committed V ago or earlier."""

        async def work() -> Mapping[Name, Posting]:
            async with self.database.connect() as connection:
                return await postings.read(connection, 1, ["S1-O1", "S1-XO1"])

        rows = self.do(work())
        assert all(row.read_at == START + timedelta(seconds=self.now) for row in rows.values())
        visible = [d for d in self.erp.documents if not stale or d.committed_at + TIMING.v_s <= self.now]
        seen = {name: tuple(d for d in visible if d.name == name) for name in rows}
        self.runs[which].look = Look(self.now, rows, seen)

    @rule(which=st.integers(0, 1))
    def a_run_acts(self, which: int) -> None:
        self.act_on_look(self.runs[which])

    @rule(which=st.integers(0, 1), outcome=st.sampled_from(["committed", "committed", "refused", "lost", "", "armed"]))
    def a_run_does_its_work(self, which: int, outcome: str) -> None:
        """Look, send, and what becomes of it, without anybody in between."""
        before = len(self.erp.requests)
        self.a_run_looks(which, stale=False)
        self.act_on_look(self.runs[which])
        for request in self.erp.requests[before:] if outcome != "armed" else []:
            request.left_at, request.outcome = self.now, outcome
            if outcome == "committed":
                request.outcome = self.erp.commit(request.name, request.content, self.now)
            answer = {"committed": State.POSTED, "refused": State.REJECTED}.get(request.outcome, State.UNCERTAIN)
            self.answer(request, answer)

    @precondition(lambda self: any(not r.answered for r in self.erp.requests))
    @rule(data=st.data())
    def an_answer_arrives(self, data: st.DataObject) -> None:
        """The true one, or none in time: that the outcome is unknown may be said before and after it is decided."""
        request = data.draw(st.sampled_from([r for r in self.erp.requests if not r.answered]))
        if request.left_at is None:
            states = [State.PLANNED]
        else:
            known = {"committed": [State.POSTED], "refused": [State.REJECTED]}.get(request.outcome, [])
            states = [*known, State.UNCERTAIN]
        state = data.draw(st.sampled_from(states))
        if state is State.PLANNED:
            request.outcome = "lost"  # whoever gives up does not send afterwards
        self.answer(request, state)

    @rule(which=st.integers(0, 1), data=st.data())
    def a_run_holds(self, which: int, data: st.DataObject) -> None:
        run = self.runs[which]
        if run.look is None or not run.look.rows:
            return
        name = data.draw(st.sampled_from(sorted(run.look.rows)))
        row = self.rows[name]
        granted = self.fresh(run, run.look.rows[name]) and row.state in (State.PLANNED, *LIVE, State.REJECTED)
        assert self.do(postings.hold(self.database, run.fence, run.look.rows[name], "x")) is granted
        if granted:
            self.change(row, State.HELD, count_at=None)

    # ------------------------------------------------------------- what must hold after every step

    @invariant()
    def no_document_is_booked_twice(self) -> None:
        ours = [d.name for d in self.erp.documents if d.ours]
        assert len(ours) == len(set(ours)), f"two live documents of ours under one reference: {sorted(ours)}"
        assert len(self.erp.live()) <= 1, f"two generations live at once: {self.erp.live()}"

    @invariant()
    def the_table_agrees(self) -> None:
        async def work() -> Any:
            async with self.database.connect() as connection:
                return (await connection.execute(text("SELECT * FROM postings"))).all()

        found = {Name(r.reference, r.generation): r for r in self.do(work())}
        assert set(found) == set(self.rows)
        for name, row in self.rows.items():
            it = found[name]
            kept = Row(
                State(it.state), it.version, it.attempt, it.fingerprint, seconds(it.sent_at), seconds(it.resolve_at),
                seconds(it.count_at), seconds(it.recount_at), it.number is not None,
            )  # fmt: skip
            assert kept == row, name

    # ------------------------------------------------------------- parts

    def act_on_look(self, run: Run) -> None:
        """What `apply` does with a look-up, on whatever has become of the rows meanwhile."""
        look = run.look
        if look is None:
            return
        run.look = None
        for name, posting in look.rows.items():
            seen = look.seen[name]
            if posting.state in LIVE:
                self.count(run, posting, seen)
            elif seen and posting.state in (State.PLANNED, *OPEN):
                self.find(run, posting, seen)
            elif posting.state in OPEN:
                self.believe_absence(run, posting)
            elif posting.state is State.PLANNED and not self.has_risen(look, name):
                self.send(run, posting)

    def has_risen(self, look: Look, name: Name) -> bool:
        """Whether the look-up shows an earlier generation that was declared gone: `apply` does not even ask then."""
        lower = ORDERS[: name.generation - 1] if name in ORDERS else ()
        return any(look.seen.get(each) and look.rows[each].state is State.VOID for each in lower)

    def plan(self, run: Run, name: Name) -> None:
        rows = self.do(postings.plan(self.database, run.fence, [planned(name, "a")]))
        assert bool(rows) is run.alive
        if run.alive:
            self.rows.setdefault(name, Row())

    def send(self, run: Run, posting: Posting) -> None:
        row = self.rows[posting.name]
        granted = (
            self.fresh(run, posting)
            and row.state is State.PLANNED
            and (row.resolve_at or 0) <= (seconds(posting.read_at) or 0)
            and self.may_be_next(posting)
        )
        licences = self.do(postings.send(self.database, run.fence, [posting], TIMING))
        assert bool(licences) is granted, f"{posting.name} was {'refused' if granted else 'sent'}: {self.rows}"
        if granted:
            self.change(row, State.SENDING, sent_at=self.now, resolve_at=self.now + TIMING.h_s)
            row.attempt += 1
            if row.recount_at is not None:
                row.recount_at = self.now + 2 * TIMING.h_s
            self.erp.requests.append(Request(posting.name, licences[0], run, row.content))

    def may_be_next(self, posting: Posting) -> bool:
        """P7: every lower generation is reversed, or surely not there; a reversal only of what is posted."""
        name = posting.name
        if name in REVERSALS:
            original = self.rows.get(Name("S1-O1", name.generation))
            return original is not None and original.state in LIVE and not self.acts(name, ORDERS[2])
        if name == ORDERS[2]:
            original = self.rows.get(ORDERS[1])
            if original is None or original.state not in LIVE or self.acts(ORDERS[2], REVERSALS[1]):
                return False
        for lower in ORDERS[: 1 if name == ORDERS[2] else name.generation - 1]:
            row, undone = self.rows.get(lower), self.rows.get(Name("S1-XO1", lower.generation))
            if row is None or (row.state in LIVE and undone is not None and undone.state in LIVE):
                continue
            if row.state is not State.VOID or (row.resolve_at or 0) > (seconds(posting.read_at) or 0):
                return False
        return True

    def acts(self, name: Name, other: Name) -> bool:
        """P8: `other` changes or reverses the same document as `name` does, or has."""
        row = self.rows.get(other) if {name, other} == {ORDERS[2], REVERSALS[1]} else None
        if row is None:
            return False
        return row.state in (*OPEN, *LIVE, State.HELD) or (
            other == ORDERS[2] and row.state is State.VOID and row.numbered
        )

    def find(self, run: Run, posting: Posting, seen: tuple[Document, ...]) -> None:
        row = self.rows[posting.name]
        right = len(seen) == 1 and seen[0].content == posting.fingerprint
        state = State.POSTED if right else State.HELD
        granted = self.fresh(run, posting) and row.state in (State.PLANNED, *OPEN)
        written = self.do(postings.found(self.database, run.fence, [Found(posting, state, "4711")], TIMING))
        assert written == ({posting.name} if granted else set()), f"found {posting.name}, which is {row.state}"
        if granted:
            row.numbered = True
            if row.state is not State.PLANNED:
                assert row.resolve_at is not None
                assert row.sent_at is not None
                row.recount_at = row.sent_at + 2 * TIMING.h_s
            self.change(row, state, count_at=self.now + TIMING.v_s if right else None)

    def believe_absence(self, run: Run, posting: Posting) -> None:
        row = self.rows[posting.name]
        granted = (
            self.fresh(run, posting) and row.state in OPEN and (row.resolve_at or 0) <= (seconds(posting.read_at) or 0)
        )
        written = self.do(postings.absent(self.database, run.fence, [posting]))
        assert written == ({posting.name} if granted else set()), f"absence of {posting.name} at {self.now}: {row}"
        if granted:
            assert row.sent_at is not None
            row.recount_at = row.sent_at + 2 * TIMING.h_s
            self.change(row, State.PLANNED, resolve_at=None)

    def count(self, run: Run, posting: Posting, seen: tuple[Document, ...]) -> None:
        row = self.rows[posting.name]
        due = row.count_at is not None and row.count_at <= (seconds(posting.read_at) or 0)
        granted = self.fresh(run, posting) and row.state in LIVE and due
        written = self.do(postings.count(self.database, run.fence, [Counted(posting, len(seen))]))
        assert written == ({posting.name} if granted else set()), f"counted {posting.name} at {self.now}: {row}"
        if granted:
            again = len(seen) == 1 and row.recount_at is not None and row.recount_at > (row.count_at or 0)
            later = row.recount_at if again else None
            self.change(row, State.CHECKED if len(seen) == 1 else State.HELD, count_at=later, recount_at=later)

    def answer(self, request: Request, state: State) -> None:
        request.answered = True
        row = self.rows[request.name]
        granted = request.run.alive and row.state is State.SENDING and row.attempt == request.sent.attempt
        answers = [Answer(request.sent, state)]
        written = self.do(postings.answer(self.database, request.run.fence, answers, TIMING))
        assert written == ({request.name} if granted else set()), f"{state} of attempt {request.sent.attempt}: {row}"
        if not granted:
            return
        assert row.sent_at is not None
        if state is State.UNCERTAIN:
            row.recount_at = row.sent_at + 2 * TIMING.h_s
        resolve_at = {State.UNCERTAIN: row.resolve_at, State.REJECTED: self.now + TIMING.v_s}.get(state)
        count_at = self.now + TIMING.v_s if state is State.POSTED else None
        self.change(row, state, resolve_at=resolve_at, count_at=count_at)

    def change(self, row: Row, state: State, **times: float | None) -> None:
        row.state = state
        row.version += 1
        for name, value in times.items():
            setattr(row, name, value)

    def fresh(self, run: Run, posting: Posting) -> bool:
        return run.alive and self.rows[posting.name].version == posting.version

    def new_run(self) -> Run:
        async def work() -> int:
            async with self.database.connect() as connection:
                statement = text(
                    "INSERT INTO runs (integration, token, flow, worker, keys, lease_until) VALUES"
                    " (1, nextval('run_token'), 'orders', 'w', ARRAY['1'], 'infinity') RETURNING token"
                )
                return (await connection.execute(statement)).scalar_one()

        return Run(Fence(1, self.do(work())))

    def on_their_way(self) -> Iterator[Request]:
        return (r for r in self.erp.requests if not r.outcome)

    def at_the_door(self) -> Iterator[Request]:
        """P: the first byte leaves within P of `sent_at`, or never."""
        return (
            r
            for r in self.on_their_way()
            if r.left_at is None and not r.answered and self.now <= (seconds(r.sent.sent_at) or 0) + TIMING.p_s
        )

    def everything_resolves(self) -> None:
        """No uncertain posting stays so: after H, one look of a living run ends it."""
        self.time_passes(2 * TIMING.h_s)
        run = self.runs[0] = self.new_run()
        self.a_run_looks(0, stale=False)
        assert run.look is not None
        opened = [posting for posting in run.look.rows.values() if posting.state in OPEN]
        for posting in opened:
            if run.look.seen[posting.name]:
                self.find(run, posting, run.look.seen[posting.name])
            else:
                self.believe_absence(run, posting)
        self.the_table_agrees()
        self.no_document_is_booked_twice()
        assert not [name for name, row in self.rows.items() if row.state in OPEN], "unknown for ever"


def planned(name: Name, content: str) -> Planned:
    reverses = Name("S1-O1", name.generation) if name in REVERSALS else None
    document = Planned(name, 2, "orders", "1", "order", content, {"amount": content})
    if name == ORDERS[2]:
        return replace(document, step=Step.UPDATE, reverses=ORDERS[1])
    return replace(document, step=Step.REVERSE, reverses=reverses) if reverses else document


def seconds(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - START).total_seconds()


def test_postings_keep_their_rules_in_any_order_of_events(database_url: str) -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(steer(database_url))
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            lambda: Ledger(database_url, loop),
            settings=explored(examples=40, steps=40),
        )
    finally:
        loop.close()
