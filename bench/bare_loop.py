"""The bare loop: the calls of a recorded run again, with plain aiohttp and nothing between them.

A run's calls keep the order that they need (an order is read before it is posted): consecutive calls of one kind are a
stage, the calls of a stage go out side by side, the next stage starts when all have answered. As many runs at once as
the worker has, as many calls at once on each system as the connection allows. Answers are read to their last byte and
their status is looked at; nothing is parsed, planned, stored or logged.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from bench.doors import BusinessOneDoor, S4HanaDoor, Step, door_of
from bench.recording import Made
from bench.world import World

RUNS_AT_ONCE = 4
CALLS_AT_ONCE = 4


@dataclass(slots=True)
class Stage:
    """Calls that go out side by side. `end_s`: when the last of them ended in the recording."""

    kind: str
    steps: list[Step] = field(default_factory=list[Step])
    end_s: float = 0.0


@dataclass(slots=True)
class Replayed:
    """One run. `after`: stages of other runs that must be over first: a note needs the posting that it tells of."""

    flow: str
    start_s: float
    stages: list[Stage] = field(default_factory=list[Stage])
    after: list[Stage] = field(default_factory=list[Stage])


@dataclass(frozen=True, slots=True)
class Replay:
    """Runs in the order in which they began."""

    runs: Sequence[Replayed]

    @property
    def calls(self) -> int:
        """Those that open the doors left out."""
        return sum(len(stage.steps) for run in self.runs for stage in run.stages)


@dataclass(frozen=True, slots=True)
class Body:
    """Of a write; `needs` and `makes` as in `Step`."""

    content: bytes
    needs: tuple[str, ...] = ()
    makes: str = ""


NOTHING = Body(b"")
Bodies = Mapping[int, Body]
"""Bodies of writes by the position of their call in the recording."""


def replay_of(world: World, calls: Sequence[Made], bodies: Bodies) -> Replay:
    """`calls` in the order in which they started."""
    runs: dict[int, Replayed] = {}
    bases = {"store": world.store.base_url, "erp": world.erp.base_url}
    for place, call in enumerate(calls):
        if call.kind == "token" or call.target.endswith("/Login"):  # before anything, by the door
            continue
        run = runs.setdefault(call.run, Replayed(call.flow, call.start_s))
        if not run.stages or run.stages[-1].kind != call.kind:
            run.stages.append(Stage(call.kind))
        url = URL(bases[call.side] + call.target, encoded=True)
        body = bodies.get(place, NOTHING)
        step = Step(
            call.side,
            call.kind,
            call.method,
            url,
            body.content or None,
            body.needs,
            body.makes,
            refused=not 0 < call.status < 400,
        )
        run.stages[-1].steps.append(step)
        run.stages[-1].end_s = max(run.stages[-1].end_s, call.end_s)
    causes = [run for run in runs.values() if run.flow == "orders"]
    for run in runs.values():
        if run.flow != "orders":
            run.after = [stage for cause in causes if (stage := _last_post(cause, run.start_s)) is not None]
    return Replay(list(runs.values()))


def _last_post(run: Replayed, before_s: float) -> Stage | None:
    over = [stage for stage in run.stages if stage.kind == "post" and stage.end_s <= before_s]
    return over[-1] if over else None


@dataclass(slots=True)
class _Loop:
    world: World
    session: aiohttp.ClientSession
    door: S4HanaDoor | BusinessOneDoor
    store: asyncio.Semaphore
    over: defaultdict[int, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    async def all(self, replay: Replay) -> None:
        await self.door.open(self.session)
        waiting = iter(replay.runs)

        async def work() -> None:
            for run in waiting:
                for stage in run.after:
                    await self.over[id(stage)].wait()
                for stage in run.stages:
                    await asyncio.gather(*map(self._call, stage.steps))
                    self.over[id(stage)].set()

        await asyncio.gather(*(work() for _ in range(RUNS_AT_ONCE)))

    async def _call(self, step: Step) -> None:
        if step.side == "store":
            async with self.store:
                await self._send(step, self._store_headers(step), step.body)
            return
        async with self.door.through(step) as (headers, body):
            answer, told = await self._send(step, headers, body)
        self.door.learn(step, answer, told)

    async def _send(
        self, step: Step, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        async with self.session.request(step.method, step.url, data=body, headers=headers) as answer:
            told = await answer.read()
        if answer.status >= 400 and not step.refused and step.kind != "session":
            raise RuntimeError(f"{step.method} {step.url}: {answer.status} {told[:300]!r}")
        return answer, told

    def _store_headers(self, step: Step) -> Mapping[str, str]:
        token = {"X-Auth-Token": str(self.world.store.credentials["access_token"]), "Accept": "application/json"}
        return token if step.body is None else {**token, "Content-Type": "application/json"}


async def run(world: World, replay: Replay) -> float:
    """Makes every call once. Seconds from the first to the last. Raises `RuntimeError` on any refusal."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=None)
    ) as session:
        door, store = door_of(world, CALLS_AT_ONCE), asyncio.Semaphore(CALLS_AT_ONCE)
        started = time.perf_counter()
        await _Loop(world, session, door, store).all(replay)
        return time.perf_counter() - started


def opening(world: World) -> int:
    """Calls that open the ERP's door."""
    return door_of(world, CALLS_AT_ONCE).opening


def without_order(replay: Replay) -> Replay:
    """The same calls, none waiting for another except for new partners: what concurrency alone allows."""
    steps = [step for run in replay.runs for stage in run.stages for step in stage.steps]
    sessions = [step for step in steps if step.kind == "session"]
    partners = [step for step in steps if step.method == "POST" and str(step.url).endswith("/A_BusinessPartner")]
    store = [step for step in steps if step.side == "store"]
    erp = [step for step in steps if step.side == "erp" and step not in sessions and step not in partners]
    in_order = [Stage("session", sessions), Stage("post", partners), Stage("rest", erp)]
    return Replay([Replayed("", 0, [Stage("rest", store)]), Replayed("", 0, in_order)])
