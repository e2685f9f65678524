"""Results of synthetic checks: what the last ones found, kept for the overview and the alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from ml_connector.engine import watermarks

NAME: Final = "system:check"
LAST: Final = "last"
KEPT: Final = "kept"
KEEP = 50


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a check. `took_s`: seconds. `error`: empty where it came through."""

    name: str
    took_s: float
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "took_ms": round(self.took_s * 1000), "error": self.error}


@dataclass(frozen=True, slots=True)
class Result:
    """One check, from `at` on. `order`: the number of its test order."""

    at: datetime
    steps: tuple[Step, ...]
    order: str = ""

    @property
    def ok(self) -> bool:
        return not any(step.error for step in self.steps)

    @property
    def took_s(self) -> float:
        return sum(step.took_s for step in self.steps)

    @property
    def failed_step(self) -> str:
        return next((step.name for step in self.steps if step.error), "")

    @property
    def error(self) -> str:
        return next((step.error for step in self.steps if step.error), "")

    def as_json(self) -> dict[str, Any]:
        return {
            "at": self.at.isoformat(), "ok": self.ok, "order": self.order, "took_ms": round(self.took_s * 1000),
            "steps": [step.as_json() for step in self.steps],
        }  # fmt: skip


async def last(sql: AsyncConnection, integration: int) -> Result | None:
    """The last check of an integration; None: never."""
    kept = await watermarks.noted(sql, integration, NAME, LAST)
    return result_from(kept) if kept else None


async def history(sql: AsyncConnection, integration: int) -> list[Result]:
    """The last `KEEP` checks, newest first."""
    kept: Sequence[Any] = await watermarks.noted(sql, integration, NAME, KEPT) or ()
    return [result_from(each) for each in kept]


async def save(sql: AsyncConnection, integration: int, result: Result) -> None:
    """Keeps a result as the last."""
    kept = [each.as_json() for each in await history(sql, integration)]
    await watermarks.note(sql, integration, NAME, {LAST: result.as_json(), KEPT: [result.as_json(), *kept][:KEEP]})


def result_from(kept: Mapping[str, Any]) -> Result:
    """A kept result."""
    steps = tuple(Step(each["name"], each["took_ms"] / 1000, each["error"]) for each in kept["steps"])
    return Result(datetime.fromisoformat(kept["at"]), steps, kept["order"])
