"""What every page stands in: the left bar with its counts, the top line, who is signed in. And how pages are made.

A page's function reads through `desk`, and returns `await pages.render(request, "name.html", ...)`. Whatever it gives
is escaped; what is not defined is an error, never empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ml_connector.desk import formats, reconciliation, wording
from ml_connector.desk.holds import Charts
from ml_connector.desk.sides import system_title
from ml_connector.domain.access import Person, Right, lowest
from ml_connector.engine import pulse
from ml_connector.engine.registry import Integration
from ml_connector.engine.views import counts, notes
from ml_connector.flows.runtime import Runtime
from ml_connector.web.access import csrf_token
from ml_connector.web.access.pages import theme_of
from ml_connector.web.console import charts
from ml_connector.web.console.assets import assets
from ml_connector.web.console.live import Streams
from ml_connector.web.console.show import FILTERS, STATES
from ml_connector.web.places import PLACES, SET_UP

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Choice:
    """An integration in the switch."""

    id: int
    name: str
    erp: str
    sandbox: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What the bar shows. `chosen`: name of the integration, empty for all. `zone`: in which times are shown, the
    account's (`own_zone`) or the store's. `idle`: when a worker was heard of last, where that is too long ago."""

    choices: tuple[Choice, ...]
    chosen: str
    reasons: int
    differing: int
    zone: str
    sandbox: bool
    available: frozenset[str]
    idle: datetime | None = None
    own_zone: bool = False
    store_zone: str = "UTC"

    @property
    def ids(self) -> list[int]:
        """Integrations that the page is about."""
        return [each.id for each in self.choices if self.chosen in ("", each.name)]


class Pages:
    """Renders pages. One for the application, at `app.state.pages`. `available`: places that are built."""

    def __init__(self, runtime: Runtime, available: frozenset[str]) -> None:
        self.runtime = runtime
        self.database = runtime.database
        self.registry = runtime.registry
        self.charts = Charts.none()
        self.available = available
        self.templates = environment()
        self.streams = Streams(runtime.database)

    async def frame(self, request: Request) -> Frame:
        """Read once for each request."""
        known: Frame | None = getattr(request.state, "frame", None)
        if known is None:
            known = request.state.frame = await self._read(request)
        return known

    async def _read(self, request: Request) -> Frame:
        person: Person | None = getattr(request.state, "person", None)
        formats.use(person.locale if person is not None else "", request.headers.get("accept-language", ""))
        integrations = await self.registry.integrations()
        connections = {each.id: each for each in await self.registry.connections()}
        asked = request.query_params.get("integration", "")
        chosen = asked if any(each.name == asked for each in integrations) else ""
        choices = tuple(
            Choice(
                each.id,
                each.name,
                system_title(connections[each.erp].system),
                connections[each.erp].sandbox or connections[each.store].sandbox,
            )
            for each in integrations
        )
        mine = [each for each in choices if chosen in ("", each.name)]
        async with self.database.connect() as sql:
            reasons = await counts.reasons(sql, [each.id for each in mine])
            zones = await notes.zones(sql)
            idle = await pulse.idle_since(sql, [each.id for each in mine])
        ids = {each.id for each in mine}
        differing = sum(
            1 for each in await reconciliation.standing(self.database) if not each.ties and each.integration in ids
        )
        own = person.zone if person is not None else ""
        store_zone = next((zones[each.id] for each in mine if each.id in zones), "UTC")
        zone = own or store_zone
        sandbox = bool(mine) and all(each.sandbox for each in mine)
        return Frame(choices, chosen, reasons, differing, zone, sandbox, self.available, idle, bool(own), store_zone)

    async def part(self, template: str, request: Request, **facts: Any) -> str:
        """A part of a page as text, for a stream."""
        known = await self._known(request)
        return self.templates.get_template(template).render(**known, **facts)

    async def render(
        self,
        request: Request,
        template: str,
        status: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> HTMLResponse:
        """A page, or the part of one that htmx asked for: the template tells them apart by `part`."""
        known = await self._known(request)
        text = self.templates.get_template(template).render(**known, **facts)
        return HTMLResponse(text, status, headers={"Cache-Control": "no-store", **(headers or {})})

    async def _known(self, request: Request) -> dict[str, Any]:
        frame = await self.frame(request)
        return {
            "request": request,
            "person": getattr(request.state, "person", None),
            "csrf": csrf_token(request),
            "frame": frame,
            "zone": frame.zone,
            "way": formats.way(),
            "part": request.headers.get("HX-Request") == "true",
            "theme": theme_of(request),
        }


def pages_of(request: Request) -> Pages:
    """Of the application."""
    pages: Pages = request.app.state.pages
    return pages


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Everything escaped, nothing undefined passes for empty. All templates are read now: an upgrade under a
    running process must not mix its pages with this program."""
    files = {str(file.relative_to(TEMPLATES)): file.read_text("utf-8") for file in TEMPLATES.rglob("*.*")}
    made = Environment(
        loader=DictLoader(files), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    cast("dict[str, Any]", made.filters).update(FILTERS)
    cast("dict[str, Any]", made.globals).update(
        asset=assets().address, states=STATES, bars=charts.bars, line=charts.line, meter=charts.meter, wide=charts.wide,
        places=PLACES,
        set_up=SET_UP, wording=wording, Right=Right, lowest=lowest, integration_of=integration_of,
    )  # fmt: skip
    return made


def integration_of(frame: Frame, id: int) -> str:
    """The name of an integration."""
    return next((each.name for each in frame.choices if each.id == id), "")


def chosen_integration(frame: Frame, integrations: list[Integration]) -> list[Integration]:
    """Those that the page is about."""
    return [each for each in integrations if each.id in frame.ids]
