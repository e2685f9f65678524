"""Facts of an integration that pages need and runs happen to know, kept as notes: the store's time zone."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import watermarks

FLOW = "system:labels"
"""Not a flow that is polled: its row has no watermark that a poll would move."""

ZONE = "zone"


async def zones(connection: AsyncConnection) -> Mapping[int, str]:
    """Integration -> IANA name of the store's zone, where a run has noted it."""
    found: dict[int, str] = await watermarks.noted_by_all(connection, FLOW, ZONE)
    return found
