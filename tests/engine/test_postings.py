"""Every transition of a posting needs its licence: each is granted here once and refused for each reason it must be."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from ml_connector.connectors.base import Timing
from ml_connector.engine import postings, records
from ml_connector.engine.database import Database
from ml_connector.engine.postings import Answer, Counted, Fence, Found, Name, Planned, Posting, Sent, State, Step
from ml_connector.engine.records import Lane

ORDERS = Lane(1, "orders")
TIMING = Timing(p_s=2, t_s=10, l_s=10, v_s=3, s_s=0)
ORDER = Name("S1-O1")


def document(name: Name = ORDER, fingerprint: str = "a", **fields: object) -> Planned:
    return replace(
        Planned(name, 2, "orders", "1", "order", fingerprint, {"amount": fingerprint}),
        **fields,  # type: ignore[arg-type]
    )


def reversal(of: Name = ORDER) -> Planned:
    return document(Name("S1-XO1", of.generation), "x", step=Step.REVERSE, reverses=of)


@pytest.fixture
async def fence(database: Database) -> Fence:
    """A run that holds record 1."""
    return await new_run(database, "1")


async def new_run(database: Database, key: str) -> Fence:
    async with database.transaction() as connection:
        await records.mark(connection, 1, "orders", [key])
    async with database.connect() as connection:
        taken = await records.claim(connection, ORDERS, worker="w", batch=20, lease_s=30)
    assert taken is not None
    return Fence(1, taken.token)


async def planned(database: Database, fence: Fence, *documents: Planned) -> list[Posting]:
    rows = await postings.plan(database, fence, documents or [document()])
    return [rows[d.name] for d in documents or [document()]]


async def sent(database: Database, fence: Fence, *documents: Planned) -> list[Sent]:
    rows = await planned(database, fence, *documents)
    licences = await postings.send(database, fence, rows, TIMING)
    assert len(licences) == len(rows)
    return list(licences)


async def answered(database: Database, fence: Fence, state: State, *documents: Planned) -> Posting:
    for licence in await sent(database, fence, *documents):
        assert await postings.answer(database, fence, [Answer(licence, state, number="4711")], TIMING)
    return await read(database, documents[0].name if documents else ORDER)


async def read(database: Database, name: Name = ORDER) -> Posting:
    async with database.connect() as connection:
        return (await postings.read(connection, 1, [name.reference]))[name]


async def pass_time(database: Database, seconds: float) -> None:
    """As if that much time had passed: every stored time of the postings moves back."""
    columns = ("sent_at", "resolve_at", "posted_at", "count_at", "recount_at")
    moved = ", ".join(f"{column} = {column} - :s * interval '1 second'" for column in columns)
    async with database.connect() as connection:
        await connection.execute(text(f"UPDATE postings SET {moved}"), {"s": seconds})


def earlier(posting: Posting, seconds: float) -> Posting:
    """The same reading, after `pass_time(seconds)`."""
    return replace(posting, read_at=posting.read_at - timedelta(seconds=seconds))


async def end(database: Database, fence: Fence) -> None:
    """The run is swept."""
    async with database.connect() as connection:
        await connection.execute(text("UPDATE runs SET lease_until = '-infinity'"))
    async with database.transaction() as connection:
        assert await records.sweep(connection)


async def test_a_document_goes_from_planned_to_checked(database: Database, fence: Fence) -> None:
    (licence,) = await sent(database, fence)
    assert licence.attempt == 1
    assert licence.resolve_at - licence.sent_at == timedelta(seconds=TIMING.h_s)
    await postings.answer(database, fence, [Answer(licence, State.POSTED, "4711", {"n": "4711"})], TIMING)
    row = await read(database)
    assert (row.state, row.number, row.sent_fingerprints, row.stored) == ("posted", "4711", ("a",), {"n": "4711"})
    await pass_time(database, TIMING.v_s)
    async with database.connect() as connection:
        (due,) = await postings.due_counts(connection, 1, 2)
    assert await postings.count(database, fence, [Counted(due, 1)]) == {ORDER}
    row = await read(database)
    assert (row.state, row.count_at) == ("checked", None)


async def test_planning_again_leaves_the_first_row(database: Database, fence: Fence) -> None:
    await planned(database, fence)
    (row,) = await planned(database, fence, document(fingerprint="b"))
    assert (row.fingerprint, row.version) == ("a", 0)


async def test_money_keeps_its_digits(database: Database, fence: Fence) -> None:
    from decimal import Decimal

    await planned(database, fence, document(content={"amount": Decimal("10.10"), "rate": "0.0725"}))
    row = await read(database)
    assert row.content == {"amount": "10.10", "rate": "0.0725"}
    assert (await sent(database, fence))[0].attempt == 1


# ------------------------------------------------------------------ R3: the fence


@pytest.mark.parametrize("act", ["plan", "replan", "send", "answer", "found", "absent", "count", "hold"])
async def test_a_fenced_run_changes_no_posting(database: Database, fence: Fence, act: str) -> None:
    fresh, in_flight, refused, done = (Name(f"S1-O{n}") for n in range(1, 5))
    (row,) = await planned(database, fence, document(fresh))
    (licence,) = await sent(database, fence, document(in_flight))
    rejected = await answered(database, fence, State.REJECTED, document(refused))
    posted = await answered(database, fence, State.POSTED, document(done))
    await pass_time(database, 1000)
    open_row, posted = await read(database, in_flight), await read(database, done)
    await end(database, fence)
    before = [await read(database, name) for name in (fresh, in_flight, refused, done)]
    acts = {
        "plan": lambda: postings.plan(database, fence, [document(Name("S1-O9"))]),
        "replan": lambda: postings.replan(database, fence, [(rejected, document(refused, "b"))]),
        "send": lambda: postings.send(database, fence, [row], TIMING),
        "answer": lambda: postings.answer(database, fence, [Answer(licence, State.POSTED)], TIMING),
        "found": lambda: postings.found(database, fence, [Found(open_row, State.POSTED)], TIMING),
        "absent": lambda: postings.absent(database, fence, [open_row]),
        "count": lambda: postings.count(database, fence, [Counted(posted, 1)]),
        "hold": lambda: postings.hold(database, fence, rejected, "x"),
    }
    assert not await acts[act]()
    after = [await read(database, name) for name in (fresh, in_flight, refused, done)]
    assert [replace(r, read_at=row.read_at) for r in after] == [replace(r, read_at=row.read_at) for r in before]
    assert len(await all_rows(database)) == 4


async def all_rows(database: Database) -> list[str]:
    async with database.connect() as connection:
        return list((await connection.execute(text("SELECT reference FROM postings"))).scalars())


async def blocked(database: Database) -> None:
    """Waits until some statement waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(10), database.connect() as connection:
        while not (await connection.execute(waiting)).scalar_one():
            await asyncio.sleep(0.01)


async def test_a_sweep_cannot_come_between_the_check_of_the_token_and_the_write(
    database: Database, fence: Fence
) -> None:
    (row,) = await planned(database, fence)
    async with database.connect() as connection:
        await connection.execute(text("UPDATE runs SET lease_until = '-infinity'"))
    async with database.transaction() as other:
        await other.execute(text("SELECT 1 FROM postings FOR UPDATE"))
        sending = asyncio.create_task(postings.send(database, fence, [row], TIMING))
        await blocked(database)  # the token is checked, the write is not done
        async with database.transaction() as sweeper:
            assert await records.sweep(sweeper) is None, "the run was taken away while it wrote"
    assert await sending
    async with database.transaction() as sweeper:
        assert await records.sweep(sweeper) is not None


# ------------------------------------------------------------------ planned -> sending


async def test_send_needs_the_version_read_before_the_look_up(database: Database, fence: Fence) -> None:
    (looked_up,) = await planned(database, fence)
    other = await new_run(database, "2")
    (licence,) = await postings.send(database, other, [looked_up], TIMING)
    await postings.answer(database, other, [Answer(licence, State.PLANNED)], TIMING)
    assert (await read(database)).state == "planned", "the same state again, but another version"
    assert not await postings.send(database, fence, [looked_up], TIMING)


async def test_two_runs_that_looked_up_at_once_send_once(database: Database, fence: Fence) -> None:
    (row,) = await planned(database, fence)
    other = await new_run(database, "2")
    results = await asyncio.gather(*(postings.send(database, f, [row], TIMING) for f in (fence, other) * 4))
    assert sum(len(licences) for licences in results) == 1


async def test_a_batch_is_sent_whole_or_not_at_all(database: Database, fence: Fence) -> None:
    rows = await planned(database, fence, *(document(Name(f"S1-O{n}")) for n in range(3)))
    stale = [*rows[:2], replace(rows[2], version=7)]
    assert await postings.send(database, fence, stale, TIMING) == ()
    assert {(await read(database, row.name)).state for row in rows} == {State.PLANNED}
    assert len(await postings.send(database, fence, rows, TIMING)) == 3


@pytest.mark.parametrize("state", [State.SENDING, State.UNCERTAIN, State.POSTED, State.REJECTED])
async def test_only_a_planned_posting_is_sent(database: Database, fence: Fence, state: State) -> None:
    (licence,) = await sent(database, fence)
    if state is not State.SENDING:
        await postings.answer(database, fence, [Answer(licence, state)], TIMING)
    await pass_time(database, 1000)
    assert not await postings.send(database, fence, [await read(database)], TIMING)


async def test_after_a_refusal_the_look_up_must_start_v_later(database: Database, fence: Fence) -> None:
    rejected = await answered(database, fence, State.REJECTED)
    assert await postings.replan(database, fence, [(rejected, document(fingerprint="b"))])
    early = await read(database)
    assert not early.absence_counts
    assert not await postings.send(database, fence, [early], TIMING)
    await pass_time(database, TIMING.v_s)
    early = earlier(early, TIMING.v_s)
    assert not await postings.send(database, fence, [early], TIMING), "read, and so looked up, too early"
    assert await postings.send(database, fence, [await read(database)], TIMING)


async def test_a_repost_waits_until_its_reversal_is_posted(database: Database, fence: Fence) -> None:
    await answered(database, fence, State.POSTED)
    (second,) = await planned(database, fence, document(Name("S1-O1", 2), "b"))
    assert not await postings.send(database, fence, [second], TIMING), "nothing reverses the first"
    (licence,) = await sent(database, fence, reversal())
    assert not await postings.send(database, fence, [second], TIMING), "the reversal is only on its way"
    await postings.answer(database, fence, [Answer(licence, State.UNCERTAIN)], TIMING)
    assert not await postings.send(database, fence, [second], TIMING), "the reversal is uncertain"
    await postings.found(database, fence, [Found(await read(database, Name("S1-XO1")), State.POSTED)], TIMING)
    assert await postings.send(database, fence, [second], TIMING)


async def test_a_reversal_needs_something_posted(database: Database, fence: Fence) -> None:
    _, undo = await planned(database, fence, document(), reversal())
    assert not await postings.send(database, fence, [undo], TIMING)
    await answered(database, fence, State.POSTED)
    assert await postings.send(database, fence, [undo], TIMING)


async def test_a_repost_never_overtakes_a_generation_in_flight_or_held(database: Database, fence: Fence) -> None:
    (licence,) = await sent(database, fence)
    (second,) = await planned(database, fence, document(Name("S1-O1", 2), "b"))
    assert not await postings.send(database, fence, [second], TIMING)
    await postings.answer(database, fence, [Answer(licence, State.UNCERTAIN)], TIMING)
    assert not await postings.send(database, fence, [second], TIMING)
    await postings.found(database, fence, [Found(await read(database), State.HELD, error="two")], TIMING)
    assert not await postings.send(database, fence, [second], TIMING)
    async with database.transaction() as connection:
        assert await postings.decide(connection, await read(database), State.VOID, why="reversed by hand")
    assert not await postings.send(database, fence, [second], TIMING), "the lost request may still arrive"
    await pass_time(database, TIMING.h_s)
    second = await read(database, second.name)
    assert await postings.send(database, fence, [second], TIMING)


async def test_one_update_of_a_document_is_in_flight_at_a_time(database: Database, fence: Fence) -> None:
    first, second = (document(Name("S1-C1-U", n), str(n), step=Step.UPDATE, before={"n": str(n - 1)}) for n in (1, 2))
    (licence,) = await sent(database, fence, first)
    (later,) = await planned(database, fence, second)
    assert not await postings.send(database, fence, [later], TIMING)
    await postings.answer(database, fence, [Answer(licence, State.POSTED)], TIMING)
    assert await postings.send(database, fence, [later], TIMING)


def update(generation: int, of: Name) -> Planned:
    """A document of the target gets this name, with new content."""
    return document(Name(ORDER.reference, generation), str(generation), step=Step.UPDATE, reverses=of)


async def licence_for(database: Database, fence: Fence, wanted: Planned) -> tuple[Sent, ...]:
    (row,) = await planned(database, fence, wanted)
    if (row.step, row.reverses) != (wanted.step, wanted.reverses):
        assert await postings.replan(database, fence, [(row, wanted)])
        row = await read(database, wanted.name)
    return await postings.send(database, fence, [row], TIMING)


async def test_a_change_in_place_needs_what_it_replaces(database: Database, fence: Fence) -> None:
    second = update(2, ORDER)
    (licence,) = await sent(database, fence)
    assert not await licence_for(database, fence, second), "what it replaces is on its way"
    await postings.answer(database, fence, [Answer(licence, State.POSTED, number="4711")], TIMING)
    assert await licence_for(database, fence, second)


async def test_one_document_is_changed_or_reversed_by_one_request_at_a_time(database: Database, fence: Fence) -> None:
    await answered(database, fence, State.POSTED)
    (change,) = await sent(database, fence, update(2, ORDER))
    assert not await licence_for(database, fence, reversal()), "a change of it is on its way"
    await postings.answer(database, fence, [Answer(change, State.POSTED, number="4711")], TIMING)
    assert not await licence_for(database, fence, reversal()), "it does not stand under that name any more"
    assert await licence_for(database, fence, reversal(Name(ORDER.reference, 2)))


async def test_no_change_while_it_is_being_reversed(database: Database, fence: Fence) -> None:
    await answered(database, fence, State.POSTED)
    (undoing,) = await sent(database, fence, reversal())
    assert not await licence_for(database, fence, update(2, ORDER))
    await postings.answer(database, fence, [Answer(undoing, State.POSTED)], TIMING)
    assert not await licence_for(database, fence, update(2, ORDER)), "it was reversed"


async def test_after_a_change_only_the_new_name_is_live_and_bars_the_next(database: Database, fence: Fence) -> None:
    await answered(database, fence, State.POSTED)
    await pass_time(database, TIMING.v_s)
    await answered(database, fence, State.POSTED, update(2, ORDER))
    async with database.connect() as connection:
        rows = await postings.of_records(connection, 1, "orders", ["1"])
        assert await postings.updated_names(connection, 1, [ORDER.reference]) == {ORDER: State.POSTED}
        witness = await postings.youngest(connection, 1, 2, TIMING)
    assert postings.live_generations(rows.values())[ORDER.reference].name.generation == 2
    assert witness is not None
    assert witness.name.generation == 2, "no look-up has to show the old name"
    third = document(Name(ORDER.reference, 3), "c")
    assert not await licence_for(database, fence, third), "the second stands"
    assert await licence_for(database, fence, update(3, Name(ORDER.reference, 2)))


async def test_a_change_is_barred_by_an_earlier_generation_that_stands_too(database: Database, fence: Fence) -> None:
    await answered(database, fence, State.POSTED)
    second = document(Name(ORDER.reference, 2), "b")
    rows = await planned(database, fence, second)
    await postings.found(database, fence, [Found(rows[0], State.POSTED, "4712")], TIMING)  # somebody's, found
    assert not await licence_for(database, fence, update(3, second.name))
    await answered(database, fence, State.POSTED, reversal())
    assert await licence_for(database, fence, update(3, second.name))


async def test_what_was_changed_and_is_gone_leaves_the_next_generation_free(database: Database, fence: Fence) -> None:
    await answered(database, fence, State.POSTED)
    changed = await answered(database, fence, State.POSTED, update(2, ORDER))
    async with database.transaction() as connection:
        assert await postings.decide(connection, changed, State.VOID, why="cancelled by hand")
    async with database.connect() as connection:
        rows = await postings.of_records(connection, 1, "orders", ["1"])
    assert postings.live_generations(rows.values()) == {}
    assert not await licence_for(database, fence, reversal()), "the old name is gone with it"
    assert await licence_for(database, fence, document(Name(ORDER.reference, 3), "c"))


async def test_a_change_that_was_never_seen_leaves_the_old_name_standing(database: Database, fence: Fence) -> None:
    await answered(database, fence, State.POSTED)
    (row,) = await planned(database, fence, update(2, ORDER))
    async with database.transaction() as connection:
        assert await postings.decide(connection, row, State.VOID, why="not wanted")
    async with database.connect() as connection:
        rows = await postings.of_records(connection, 1, "orders", ["1"])
    assert postings.live_generations(rows.values())[ORDER.reference].name == ORDER
    assert not await licence_for(database, fence, document(Name(ORDER.reference, 3), "c")), "the first stands"
    assert await licence_for(database, fence, update(3, ORDER))


async def test_a_plan_may_turn_a_change_into_a_document_of_its_own(database: Database, fence: Fence) -> None:
    await answered(database, fence, State.POSTED)
    (row,) = await planned(database, fence, update(2, ORDER))
    anew = document(Name(ORDER.reference, 2), "b")
    assert await postings.replan(database, fence, [(row, anew)]) == {anew.name}
    row = await read(database, anew.name)
    assert (row.step, row.reverses) == (Step.CREATE, None)
    assert not await postings.send(database, fence, [row], TIMING)
    await answered(database, fence, State.POSTED, reversal())
    assert await postings.send(database, fence, [await read(database, anew.name)], TIMING)


# ------------------------------------------------------------------ answers


async def test_a_late_answer_touches_no_later_attempt(database: Database, fence: Fence) -> None:
    (first,) = await sent(database, fence)
    await postings.answer(database, fence, [Answer(first, State.PLANNED)], TIMING)
    (second,) = await postings.send(database, fence, [await read(database)], TIMING)
    assert second.attempt == 2
    assert not await postings.answer(database, fence, [Answer(first, State.REJECTED)], TIMING)
    assert (await read(database)).state == "sending"


async def test_an_answer_after_the_outcome_is_known_is_refused(database: Database, fence: Fence) -> None:
    (licence,) = await sent(database, fence)
    await postings.answer(database, fence, [Answer(licence, State.UNCERTAIN)], TIMING)
    assert not await postings.answer(database, fence, [Answer(licence, State.POSTED)], TIMING)


async def test_answers_of_a_batch_stand_each_by_itself(database: Database, fence: Fence) -> None:
    one, two, three = await sent(database, fence, *(document(Name(f"S1-O{n}")) for n in (1, 2, 3)))
    answers = [
        Answer(one, State.POSTED, "1"),
        Answer(replace(two, attempt=9), State.POSTED, "2"),
        Answer(three, State.REJECTED, error="closed"),
    ]
    assert await postings.answer(database, fence, answers, TIMING) == {one.name, three.name}
    assert [(await read(database, s.name)).state for s in (one, two, three)] == ["posted", "sending", "rejected"]


# ------------------------------------------------------------------ look-ups


@pytest.mark.parametrize("state", [State.SENDING, State.UNCERTAIN])
async def test_absence_counts_only_from_a_look_up_after_h(database: Database, fence: Fence, state: State) -> None:
    (licence,) = await sent(database, fence)
    if state is State.UNCERTAIN:
        await postings.answer(database, fence, [Answer(licence, state)], TIMING)
    await pass_time(database, TIMING.h_s - 1)
    early = await read(database)
    assert not await postings.absent(database, fence, [early])
    await pass_time(database, 1)
    assert not await postings.absent(database, fence, [earlier(early, 1)]), "the look-up began before H"
    assert await postings.absent(database, fence, [await read(database)])
    assert (await read(database)).state == "planned"


async def test_a_late_answer_refuses_absence(database: Database, fence: Fence) -> None:
    (licence,) = await sent(database, fence)
    await pass_time(database, TIMING.h_s)
    looked_up = await read(database)
    await postings.answer(database, fence, [Answer(licence, State.POSTED, "4711")], TIMING)
    assert not await postings.absent(database, fence, [looked_up])


async def test_presence_is_believed_at_any_time(database: Database, fence: Fence) -> None:
    await sent(database, fence)
    row = await read(database)
    result = Found(row, State.POSTED, "4711", {"total": "7"}, fingerprint="b", ours=False)
    assert await postings.found(database, fence, [result], TIMING)
    row = await read(database)
    assert (row.state, row.number, row.fingerprint, row.adopted) == ("posted", "4711", "b", True)


async def test_a_found_document_is_not_adopted_over_a_change(database: Database, fence: Fence) -> None:
    (looked_up,) = await planned(database, fence)
    await postings.send(database, fence, [looked_up], TIMING)
    assert not await postings.found(database, fence, [Found(looked_up, State.POSTED)], TIMING)


@pytest.mark.parametrize("state", [State.SENDING, State.UNCERTAIN, State.POSTED])
async def test_content_changes_only_where_nothing_is_in_flight(database: Database, fence: Fence, state: State) -> None:
    (licence,) = await sent(database, fence)
    if state is not State.SENDING:
        await postings.answer(database, fence, [Answer(licence, state)], TIMING)
    assert not await postings.replan(database, fence, [(await read(database), document(fingerprint="b"))])


# ------------------------------------------------------------------ counting


async def test_the_count_waits_for_v_and_holds_anything_but_one(database: Database, fence: Fence) -> None:
    posted = await answered(database, fence, State.POSTED)
    assert not await postings.count(database, fence, [Counted(posted, 1)]), "counted before V"
    await pass_time(database, TIMING.v_s)
    assert await postings.count(database, fence, [Counted(await read(database), 2)])
    row = await read(database)
    assert row.state == "held"
    assert row.error is not None
    assert "2 documents" in row.error


async def test_what_was_uncertain_is_counted_once_more_at_twice_h(database: Database, fence: Fence) -> None:
    (licence,) = await sent(database, fence)
    await postings.answer(database, fence, [Answer(licence, State.UNCERTAIN)], TIMING)
    await postings.found(database, fence, [Found(await read(database), State.POSTED, "1")], TIMING)
    await pass_time(database, TIMING.v_s)
    await postings.count(database, fence, [Counted(await read(database), 1)])
    row = await read(database)
    assert row.state == "checked"
    assert row.count_at == row.sent_at + timedelta(seconds=2 * TIMING.h_s)  # type: ignore[operator]
    await pass_time(database, 2 * TIMING.h_s)
    await postings.count(database, fence, [Counted(await read(database), 1)])
    assert (await read(database)).count_at is None


async def test_what_a_person_said_is_right_is_counted_at_twice_h_all_the_same(database: Database, fence: Fence) -> None:
    """What was found was a stranger's document; our own request may have arrived since, beside it."""
    (licence,) = await sent(database, fence)
    await postings.answer(database, fence, [Answer(licence, State.UNCERTAIN)], TIMING)
    await postings.found(database, fence, [Found(await read(database), State.HELD, "1", error="amounts")], TIMING)
    async with database.transaction() as connection:
        assert await postings.decide(connection, await read(database), State.POSTED, why="right as it is")
    await pass_time(database, 2 * TIMING.h_s)
    async with database.connect() as connection:
        [due] = await postings.due_counts(connection, 1, 2)
    await postings.count(database, fence, [Counted(due, 2)])
    assert (await read(database)).state == "held"


# ------------------------------------------------------------------ generations, records that wait, the gate


async def test_the_live_generation_is_the_highest_posted_that_is_not_reversed(database: Database, fence: Fence) -> None:
    await answered(database, fence, State.POSTED)
    await answered(database, fence, State.POSTED, reversal())
    assert await live(database) == {}, "what is reversed is not live"
    second = await answered(database, fence, State.POSTED, document(Name("S1-O1", 2), "b"))
    await planned(database, fence, document(Name("S1-P9")))
    assert await live(database) == {"S1-O1": second.name}


async def live(database: Database) -> dict[str, Name]:
    async with database.connect() as connection:
        rows = await postings.of_records(connection, 1, "orders", ["1"])
    return {reference: row.name for reference, row in postings.live_generations(rows.values()).items()}


async def test_open_postings_are_those_of_the_records(database: Database, fence: Fence) -> None:
    await sent(database, fence, document(), document(Name("S1-O2"), record_key="2"))
    await answered(database, fence, State.POSTED, document(Name("S1-P1")))
    async with database.connect() as connection:
        rows = await postings.open_postings(connection, 1, "orders", ["1"])
    assert [row.name for row in rows] == [ORDER]


async def test_who_waits_for_a_shared_posting_is_due_when_it_is_resolved(database: Database, fence: Fence) -> None:
    (licence,) = await sent(database, fence, document(Name("S1-C7")))
    other = await new_run(database, "2")
    async with database.connect() as connection:
        assert await records.defer(connection, ORDERS, other.token, "2", 1, after_s=600, waits_for="S1-C7")
        waiting = text("SELECT run_at > statement_timestamp() + interval '9 minutes' FROM records WHERE key = '2'")
        assert (await connection.execute(waiting)).scalar_one()
        await postings.answer(database, fence, [Answer(licence, State.POSTED)], TIMING)
        assert not (await connection.execute(waiting)).scalar_one()


async def test_a_posting_that_is_resolved_before_the_record_rests_is_not_waited_for(
    database: Database, fence: Fence
) -> None:
    await answered(database, fence, State.POSTED, document(Name("S1-C7")))
    other = await new_run(database, "2")
    async with database.connect() as connection:
        await records.defer(connection, ORDERS, other.token, "2", 1, after_s=600, waits_for="S1-C7")
        due = text("SELECT run_at <= statement_timestamp() FROM records WHERE key = '2'")
        assert (await connection.execute(due)).scalar_one()


async def test_a_posting_that_is_resolved_just_while_the_record_rests_is_not_waited_for(
    database: Database, fence: Fence
) -> None:
    await sent(database, fence, document(Name("S1-C7")))
    other = await new_run(database, "2")

    async def defer() -> None:
        async with database.connect() as connection:
            await records.defer(connection, ORDERS, other.token, "2", 1, after_s=600, waits_for="S1-C7")

    async with database.transaction() as poster:  # its wake-up has run and saw nobody waiting
        await poster.execute(text("UPDATE postings SET state = 'posted' WHERE reference = 'S1-C7'"))
        resting = asyncio.create_task(defer())
        await asyncio.wait([resting, asyncio.create_task(blocked(database))], return_when=asyncio.FIRST_COMPLETED)
    await resting
    async with database.connect() as connection:
        due = text("SELECT run_at <= statement_timestamp() FROM records WHERE key = '2'")
        assert (await connection.execute(due)).scalar_one()


async def test_a_decision_on_what_has_changed_meanwhile_is_refused(database: Database, fence: Fence) -> None:
    await sent(database, fence)
    await postings.found(database, fence, [Found(await read(database), State.HELD)], TIMING)
    stale = await read(database)
    async with database.transaction() as connection:
        assert await postings.decide(connection, stale, State.POSTED, why="right as it is")
        assert not await postings.decide(connection, stale, State.VOID, why="gone")
    assert (await read(database)).adopted


async def test_what_the_count_holds_and_the_mark_of_its_record_are_one_commit(database: Database, fence: Fence) -> None:
    """A crash between the two would leave a document before a person, and its record as if all were well."""
    await answered(database, fence, State.POSTED)
    await answered(database, fence, State.POSTED, document(Name("S1-O2"), record_key="2"))
    await new_run(database, "2")
    await pass_time(database, TIMING.v_s)
    rows = [await read(database), await read(database, Name("S1-O2"))]
    assert await postings.count(database, fence, [Counted(rows[0], 0), Counted(rows[1], 1)]) == {r.name for r in rows}
    statement = text(
        "SELECT r.key, r.seq, p.state, p.xmin::text = r.xmin::text AS together FROM postings p"
        " JOIN records r ON r.key = p.record_key ORDER BY r.key"
    )
    async with database.connect() as connection:
        found = (await connection.execute(statement)).all()
    assert [(r.key, r.seq, r.state, r.together) for r in found] == [("1", 2, "held", True), ("2", 1, "checked", False)]


async def test_a_reversal_that_is_gone_is_sent_again(database: Database, fence: Fence) -> None:
    """What it undid is live in the ERP again: the reversal itself must come back, there is no next generation of it."""
    await answered(database, fence, State.POSTED)
    undo = await answered(database, fence, State.POSTED, reversal())
    async with database.transaction() as connection:
        assert not await postings.decide(connection, undo, State.PLANNED, why="gone"), "not counted yet: a look-up lags"
    await pass_time(database, TIMING.v_s)
    await postings.count(database, fence, [Counted(await read(database, undo.name), 1)])
    async with database.transaction() as connection:
        assert await postings.decide(connection, await read(database, undo.name), State.PLANNED, why="gone")
        original = await read(database)
        assert not await postings.decide(connection, original, State.PLANNED, why="gone"), "only a reversal comes back"
    assert await postings.send(database, fence, [await read(database, undo.name)], TIMING)


async def test_what_our_own_reversal_undid_meanwhile_is_not_held(database: Database, fence: Fence) -> None:
    """A reconciliation reads our rows, then the ERP; in between an amendment reverses the document."""
    await answered(database, fence, State.POSTED)
    doubt = (await read(database), "4711 was reversed in the ERP by 4712")
    await answered(database, fence, State.POSTED, reversal())
    async with database.transaction() as connection:
        assert not await postings.hold_all(connection, fence, [doubt])
    assert (await read(database)).state is State.POSTED
