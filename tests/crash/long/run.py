"""One long run from the first order to the verdict. A single thread that never waits for long, so that strikes fall
when they are due."""

import random
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.crash import books
from tests.crash.long.crew import Crew
from tests.crash.long.merchant import Merchant
from tests.crash.long.plan import faults
from tests.crash.long.recovery import Recovery
from tests.crash.long.scene import LongCase, Server
from tests.crash.long.show import Show, Standing
from tests.crash.long.verdict import Looked, Struck, Verdict, faults_done, looked_up, verdict_on
from tests.crash.processes import until

TICK_S = 0.15
BACKLOG = 30
LOOK_EVERY_S = 1.0
SERVER_AWAY_S = (0.5, 3.0)
SETTLE_S = 600.0
CLEAN_WITHIN_S = 90.0
"""How long both sides may differ once nothing of ours moves any more: a webhook may be on its way."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for. `tamper`: a person deletes a document in the ERP before the verdict, which must see it."""

    orders: int
    seed: int
    tamper: bool = False


@dataclass(slots=True)
class Found:
    """Everything that a run has to say. `verdict` None: it could not be counted."""

    wishes: Wishes
    verdict: Verdict | None = None
    seconds: float = 0.0
    interrupted: bool = False
    kills: Counter[str] = field(default_factory=Counter[str])
    stops: Counter[str] = field(default_factory=Counter[str])
    past: Counter[str] = field(default_factory=Counter[str])
    alarms: int = 0
    ended: list[str] = field(default_factory=list[str])
    intake_kills: int = 0
    postgres_restarts: int = 0
    faults: Struck = field(default_factory=Struck)
    looked: Looked = field(default_factory=Looked)
    deeds: Counter[str] = field(default_factory=Counter[str])
    recovery: dict[str, float | int] = field(default_factory=dict[str, float | int])
    parked: int = 0

    @property
    def clean(self) -> bool:
        return self.verdict is not None and self.verdict.clean and not self.interrupted


class LongRun:
    def __init__(self, wishes: Wishes, case: LongCase, server: Server, show: Show) -> None:
        self._wishes, self._case, self._server, self._show = wishes, case, server, show
        draw = random.Random(wishes.seed)
        self._draw = random.Random(draw.random())
        self._recovery = Recovery(case)
        self._crew = Crew(case, self._recovery, random.Random(draw.random()))
        self._merchant = Merchant(case, random.Random(draw.random()), wishes.orders, min(BACKLOG, wishes.orders // 2))
        self._restarts = 0
        self._server_back_at: float | None = None
        self._parked = 0
        self._under_way = self._finished = 0
        self._looked = float("-inf")
        self._started = time.monotonic()

    def play(self) -> Found:
        """Raises AssertionError when something cannot be done at all; KeyboardInterrupt when asked to stop."""
        for system, control in (("store", self._case.store), ("erp", self._case.erp)):
            books.call(f"{control}/faults", faults(system))
        self._hooks()
        while not (self._merchant.done and self._struck_enough):
            self._tick("orders come in")
        self._crew.peace()
        self._settle()
        if self._wishes.tamper:
            self._delete_one()
        return self.found(verdict_on(self._case))

    def found(self, verdict: Verdict | None, *, interrupted: bool = False) -> Found:
        """The figures as they are now."""
        crew = self._crew
        return Found(
            self._wishes,
            verdict,
            seconds=time.monotonic() - self._started,
            interrupted=interrupted,
            kills=crew.kills, stops=crew.stops, past=crew.past, alarms=crew.alarms, ended=crew.ended,
            intake_kills=crew.intake_kills,
            postgres_restarts=self._restarts,
            faults=faults_done(self._case),
            looked=looked_up(self._case),
            deeds=self._merchant.deeds,
            recovery=self._recovery.figures(),
            parked=self._parked,
        )  # fmt: skip

    def close(self) -> None:
        self._crew.close()

    # -------------------------------------------------------------- phases

    def _hooks(self) -> None:
        """Somebody must have registered the webhooks before the first order, or only polls would find them."""

        def registered() -> bool:
            self._crew.tick(self._finished)
            return self._case.hooks() > 0

        until(registered, lambda: "no worker registered the webhooks")

    @property
    def _struck_enough(self) -> bool:
        return bool(self._crew.kills and self._crew.stops and self._restarts)

    def _tick(self, phase: str) -> None:
        self._serve_or_kill_the_server()
        if self._server_back_at is None:  # what a strike interrupts is read from the database
            self._crew.tick(self._finished)
            if time.monotonic() - self._looked >= LOOK_EVERY_S:
                self._looked = time.monotonic()
                self._under_way, self._finished = self._case.backlog(), self._case.finished()
                self._recovery.look()
            self._merchant.tick(self._under_way + self._merchant.unheard(self._finished))
        self._show.tell(
            Standing(
                phase, self._wishes.orders, self._merchant.placed, self._finished,
                self._crew.kills.total(), self._crew.stops.total(), self._recovery.open,
            )
        )  # fmt: skip
        time.sleep(TICK_S)

    def _serve_or_kill_the_server(self) -> None:
        """Once, when half of the orders are placed."""
        if self._server_back_at is not None:
            if time.monotonic() >= self._server_back_at:
                self._server.start()
                self._server_back_at = None
                self._restarts += 1
                self._show.say("PostgreSQL is back")
        elif not self._restarts and self._merchant.placed * 2 >= self._wishes.orders and self._under_way:
            self._recovery.server_killed(time.time())
            self._server.kill()
            self._server_back_at = time.monotonic() + self._draw.uniform(*SERVER_AWAY_S)
            self._show.say("PostgreSQL: kill -9 of the postmaster")

    def _settle(self) -> None:
        """Until nothing moves and both sides agree, or until it is plain that they do not."""
        deadline = time.monotonic() + SETTLE_S + 1.5 * self._wishes.orders
        quiet_since: float | None = None
        while time.monotonic() < deadline:
            self._tick("settling")
            self._replay_parked()
            if self._case.unsettled():
                quiet_since = None
                continue
            quiet_since = quiet_since or time.monotonic()
            if verdict_on(self._case).clean or time.monotonic() - quiet_since > CLEAN_WITHIN_S:
                break
            self._pause(2.0)
        self._recovery.look()

    def _pause(self, seconds: float) -> None:
        until_then = time.monotonic() + seconds
        while time.monotonic() < until_then:
            self._tick("settling")

    def _replay_parked(self) -> None:
        """What an operator does with records whose worker died with them alone three times: look, and replay."""
        dead = self._case.dead()
        if not dead:
            return
        self._parked += len(dead)
        for flow in sorted({flow for flow, _ in dead}):
            self._case.start("replay", "us-store", "--flow", flow, "--all", "dead").finished()

    def _delete_one(self) -> None:
        """A person deletes a document in the ERP behind our back."""
        victim = next(d for d in books.documents_in(self._case.erp) if not d.reversed_by and not d.reverses)
        number, company, year = victim.number.split("/")
        books.call(f"{self._case.erp}/documents/{company}/{year}/{number}/delete", {})
        self._show.say(f"tampered: {victim.reference} was deleted in the ERP")
