"""Writes what a run says about its records, each under the run's token, and ends the run with the last of them.

A system may repeat in its answer what it was sent: its words are kept without our secrets.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ml_connector.engine import crash, records
from ml_connector.engine.database import AsyncConnection, Database
from ml_connector.engine.masking import known_secrets
from ml_connector.engine.records import Claimed, Finished
from ml_connector.engine.runs import Again, Dead, Done, Fail, Hold, Outcome, Run

DEFECT_FLOOR_S = 5.0


async def write_outcomes(
    database: Database, run: Run, outcomes: Mapping[str, Outcome], *, defect: str | None = None
) -> set[str]:
    """Returns the keys written; the others belong to a later run already. Safe to repeat after an outage.

    A record without an outcome is handed back with its suspicion kept; with `defect` (an error of ours) it fails: alone
    it counts towards parking, in company its records run alone next, so that the guilty one is found.
    """
    finished: list[Finished] = []
    others: list[tuple[Claimed, Outcome | None]] = []
    for record in run.records:
        outcome = outcomes.get(record.key)
        if isinstance(outcome, Done):
            finished.append(
                Finished(
                    record.key,
                    record.seq,
                    outcome.stamp,
                    outcome.next_at,
                    outcome.next_in_s,
                    outcome.status,
                    outcome.reason,
                )
            )
        else:
            others.append((record, outcome))
    written: set[str] = set()
    async with database.connect() as connection:
        for record, outcome in others:
            if await _write_one(connection, run, record, outcome, defect):
                written.add(record.key)
        if finished:
            await crash.point("finish.commit.b", " ".join(record.key for record in finished))
            age_s = time.monotonic() - run.started
            written |= await records.finish(connection, run.lane, run.token, finished, ends=True, run_age_s=age_s)
            await crash.point("finish.commit.a", " ".join(record.key for record in finished))
        else:
            await records.end_run(connection, run.integration, run.token)
    return written


async def _write_one(
    connection: AsyncConnection, run: Run, record: Claimed, outcome: Outcome | None, defect: str | None
) -> bool:
    if outcome is not None:
        point = _POINTS.get(type(outcome))
        if point:
            await crash.point(point, record.key)
        return await _WRITERS[type(outcome)](connection, run, record, outcome)
    if defect is None:
        return await records.defer(
            connection, run.lane, run.token, record.key, record.seq, after_s=0, keeps_suspicion=True
        )
    alone = len(run.records) == 1
    return await records.fail(
        connection,
        run.lane,
        run.token,
        record.key,
        record.seq,
        error=known_secrets.mask(defect),
        wakes=True,
        floor_s=DEFECT_FLOOR_S if alone else 0.1,
        counts=alone,
        defect=alone,
        suspect=not alone,
    )


async def _again(connection: AsyncConnection, run: Run, record: Claimed, outcome: Again) -> bool:
    return await records.defer(
        connection,
        run.lane,
        run.token,
        record.key,
        record.seq,
        after_s=outcome.after_s,
        waits_for=outcome.waits_for,
        why=outcome.why and known_secrets.mask(outcome.why),
    )


async def _hold(connection: AsyncConnection, run: Run, record: Claimed, outcome: Hold) -> bool:
    status = await records.hold(
        connection,
        run.lane,
        run.token,
        record.key,
        record.seq,
        epoch=run.epoch,
        kind=outcome.kind,
        hold_key=outcome.key,
        message=known_secrets.mask(outcome.message),
        wakes=outcome.wakes,
        resolve_at=outcome.resolve_at,
        connection_id=outcome.connection,
        connection_epoch=outcome.connection_epoch,
    )
    return status is not None


async def _fail(connection: AsyncConnection, run: Run, record: Claimed, outcome: Fail) -> bool:
    return await records.fail(
        connection,
        run.lane,
        run.token,
        record.key,
        record.seq,
        error=known_secrets.mask(outcome.error),
        wakes=outcome.wakes,
        floor_s=outcome.floor_s,
        counts=outcome.counts,
    )


async def _dead(connection: AsyncConnection, run: Run, record: Claimed, outcome: Dead) -> bool:
    error = known_secrets.mask(outcome.error)
    return await records.park(connection, run.lane, run.token, record.key, error=error)


_WRITERS: Mapping[type, Callable[[AsyncConnection, Run, Claimed, Any], Awaitable[bool]]] = {
    Again: _again,
    Hold: _hold,
    Fail: _fail,
    Dead: _dead,
}
_POINTS: Mapping[type, str] = {Hold: "hold.commit.b", Fail: "fail.commit.b"}
