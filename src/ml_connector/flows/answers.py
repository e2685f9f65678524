"""From what happened to an outcome of the record: one table for every flow."""

from datetime import datetime

from ml_connector.connectors.errors import (
    Conflict,
    ConnectorError,
    NotSent,
    Rejected,
    Throttled,
    Unauthorized,
    UnsafeAddress,
)
from ml_connector.domain.documents import Excluded, Held
from ml_connector.engine.outcomes import Changed, Stop, Stopped, Waits
from ml_connector.engine.records import Status
from ml_connector.engine.runs import Again, Done, Fail, Hold, Outcome

TRANSIENT_FLOOR_S = 5.0
AGAIN_SOON_S = 1.0


def outcome_of_error(error: ConnectorError, *, connection: int, epoch: int) -> Outcome:
    """What a failed call means for the record that needed it.

    `connection` and its `epoch` as read before the call: a hold of the connection ends when either is repaired.
    """
    if isinstance(error, Throttled):
        return Fail(str(error), floor_s=error.retry_after_s or TRANSIENT_FLOOR_S, counts=False)
    if isinstance(error, Unauthorized | UnsafeAddress):
        return Hold(
            "connection", str(connection), str(error), wakes=False, connection=connection, connection_epoch=epoch
        )
    if isinstance(error, Rejected):
        return Hold("rejected", "", str(error))
    if isinstance(error, Conflict | NotSent):
        return Again(AGAIN_SOON_S, why=str(error))
    return Fail(str(error), floor_s=TRANSIENT_FLOOR_S)


def outcome_of_hold(held: Held) -> Hold:
    """The planner waits for a condition: a mapping, a capture, an open period."""
    return Hold(held.code.value, held.key, held.message)


def outcome_of_exclusion(excluded: Excluded, stamp: datetime | None) -> Done:
    """Nothing has to exist, until the source changes."""
    return Done(stamp=stamp, status=Status.EXCLUDED, reason=f"{excluded.code.value}: {excluded.message}")


def outcome_of_stop(result: Stop, *, connection: int, epoch: int) -> Outcome:
    """Why a plan could not be made true in this run."""
    if isinstance(result, Waits):
        why = result.why or f"{result.reference}: outcome not known yet"
        return Again(result.after_s, waits_for=result.reference or None, why=why)
    if isinstance(result, Stopped):
        return Hold(result.kind, result.key, result.message)
    if isinstance(result, Changed):
        # Soon, for it mostly helps at once; ever more rarely where it does not: each run reads the store and the ERP.
        return Fail(result.why, wakes=True, floor_s=AGAIN_SOON_S)
    if isinstance(result.error, ConnectorError):
        return outcome_of_error(result.error, connection=connection, epoch=epoch)
    return Fail(str(result.error))
