"""The inequalities of time: what H is made of, who may shorten it, and from when P counts."""

import asyncio

import pytest
from sqlalchemy import text

from ml_connector.connectors.base import Settings, Timing
from ml_connector.connectors.errors import NotSent
from ml_connector.connectors.s4hana.settings import read_settings
from ml_connector.engine.database import Database
from ml_connector.engine.permit import SendPermit
from ml_connector.engine.watchdog import Watchdog
from tests.engine.test_postings import new_run, planned


def test_h_is_the_sum_of_its_parts() -> None:
    assert Timing(p_s=1, t_s=20, l_s=300, v_s=4000, s_s=50000).h_s == 54321


@pytest.mark.parametrize("given", [{"t_s": 10}, {"l_s": 10}, {"p_s": 400}])
def test_timing_is_shortened_in_a_sandbox_only(given: dict[str, float]) -> None:
    settings = {"company_code": "1710", "created_by_user": "A", "timing": given}
    read_settings(Settings("x", "https://erp.example", settings, {}, sandbox=True))
    with pytest.raises(ValueError, match="sandbox"):
        read_settings(Settings("x", "https://erp.example", settings, {}))


async def test_p_counts_from_before_the_commit(database: Database) -> None:
    """The statement that opens the posting is blocked for longer than P: `sent_at` is old when it commits."""
    fence = await new_run(database, "1")
    timing = Timing(p_s=0.3, t_s=1, l_s=1, v_s=0, s_s=0)
    permit = SendPermit(database, fence, await planned(database, fence), timing, Watchdog(enabled=False))
    async with database.transaction() as blocking:
        await blocking.execute(text("SELECT 1 FROM postings FOR UPDATE"))
        arming = asyncio.create_task(permit.arm())
        await asyncio.wait([arming], timeout=2 * timing.p_s)
        assert not arming.done()
    await arming
    assert permit.sent
    with pytest.raises(NotSent, match="have gone"):
        permit.check()
