"""Which source stamps are news: a poll with an overlap sees the same changes again and again."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine.records import STAMP_SETTLES_S

# Known: the record was brought to that stamp, or is on its way to it (due, running, held or dead in front of a person).
# A record that was finished behind its `want` is news again (R6).
# Read so soon that another edit may carry the same stamp: `finish` has kept it as a moment earlier. It is news once,
# when no edit can get that stamp any more, so that one more read is the last.
_NEWER = text("""
SELECT c.key, c.stamp
  FROM unnest(CAST(:keys AS text[]), CAST(:stamps AS timestamptz[])) AS c(key, stamp)
  LEFT JOIN records r ON r.integration = :integration AND r.flow = :flow AND r.key = c.key
 WHERE NOT coalesce(r.stamp >= c.stamp, false)
   AND NOT (coalesce(r.want >= c.stamp, false)
            AND (r.run_at IS NOT NULL OR r.token IS NOT NULL OR r.status IN ('held', 'dead')))
   AND NOT coalesce(r.stamp = c.stamp - interval '1 microsecond'
                    AND c.stamp > statement_timestamp() - :stamp_settles_s * interval '1 second', false)
""")


async def newer(
    connection: AsyncConnection, integration: int, flow: str, stamps: Mapping[str, datetime]
) -> dict[str, datetime]:
    """Those of `stamps` (key -> the source's own stamp) that no record has been brought to, or is on its way to."""
    if not stamps:
        return {}
    parameters = {
        "integration": integration,
        "flow": flow,
        "keys": list(stamps),
        "stamps": list(stamps.values()),
        "stamp_settles_s": STAMP_SETTLES_S,
    }
    return {row.key: row.stamp for row in await connection.execute(_NEWER, parameters)}
