"""Sealing the audit as a periodic record, and looking at what was sealed again and again.

Each integration's record seals its own chain, and those that nobody else would: of no integration in particular, and
of integrations that are switched off. Then it goes on with its own verification where it stopped, for a moment; what
it finds is kept for the console and the alerts (`SEEN`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from ml_connector.engine import audit_chain, watermarks
from ml_connector.engine.audit_verify import look_on
from ml_connector.engine.runs import Done, Outcome, Run
from ml_connector.flows.runtime import Runtime

log = structlog.get_logger()

NAME = audit_chain.NAME
EVERY_S = 60.0
SEEN = "seen"
"""Note in `watermarks`: `number` of the last seal that was looked at (0: a round begins) and when (`at`); `round`: when
the last whole round ended; `found`: the last finding, gone when a whole round finds nothing."""
LOOK_S = 0.5


class SealFlow:
    """Seals, then scrubs."""

    name = NAME
    batch = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        db = self._runtime.database
        upto = await audit_chain.horizon(db)
        key = await audit_chain.sealing_key(db, self._runtime.vault)
        active = {each.id for each in await self._runtime.registry.integrations()}
        for chain in await audit_chain.chains(db):
            if chain == run.integration or chain not in active:
                if upto is not None:
                    await audit_chain.seal(db, key, chain, upto)
                await self._look(chain, key)
            if run.stopping or not run.alive:
                break
        return dict.fromkeys(run.keys, Done(next_in_s=EVERY_S))

    async def _look(self, chain: int, key: bytes) -> None:
        db = self._runtime.database
        async with db.connect() as sql:
            kept: dict[str, Any] = await watermarks.noted(sql, chain, NAME, SEEN) or {}
        number, finding = await look_on(db, chain, key, after=int(kept.get("number", 0)), for_s=LOOK_S)
        found = finding.as_json() if finding else None
        if finding is not None:
            log.error("audit.broken", integration=chain, seal=finding.seal, row=finding.row, what=finding.message)
        now = datetime.now(UTC).isoformat()
        this_round = found or kept.get("this_round")
        whole = number == 0
        note = {
            "number": number,
            "at": now,
            "round": now if whole else kept.get("round"),
            "found": this_round if whole else found or kept.get("found"),
            "this_round": None if whole else this_round,
        }
        async with db.connect() as sql:
            await watermarks.note(sql, chain, NAME, {SEEN: note})
