"""One figure over time, as a chart with a cursor and as a table: of a connection, or of a flow."""

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.config.file import FLOWS
from ml_connector.desk import formats, trends
from ml_connector.desk.trends import OF_CONNECTION, OF_FLOW, SPANS, Metric, Trend
from ml_connector.domain.access import Person, Right
from ml_connector.web.access import requires
from ml_connector.web.console.frame import chosen_integration, pages_of
from ml_connector.web.console.show import rate, span

router = APIRouter(prefix="/trends")
LOOKS = Depends(requires(Right.look))


@router.get("/connection/{name}")
async def of_connection(
    request: Request, name: str, metric: str = "", hours: str = "", person: Person = LOOKS
) -> Response:
    """Of the calls that one integration makes to it; the first that uses it where none is chosen."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    known = {each.id: each for each in await pages.registry.connections()}
    connection = next((each for each in known.values() if each.name == name), None)
    mine = [
        each
        for each in chosen_integration(frame, await pages.registry.integrations())
        if connection is not None and connection.id in (each.store, each.erp)
    ]
    if connection is None or not mine:
        return RedirectResponse("/", 303)
    chosen = trends.metric_named(OF_CONNECTION, metric)
    found = await trends.of_connection(pages.database, mine[0], connection, chosen, _hours(hours))
    return await _page(request, found, OF_CONNECTION, mine[0].name)


@router.get("/flow/{integration}/{flow}")
async def of_flow(
    request: Request, integration: str, flow: str, metric: str = "", hours: str = "", person: Person = LOOKS
) -> Response:
    """Lag against its budget, or what was done."""
    pages = pages_of(request)
    mine = next((each for each in await pages.registry.integrations() if each.name == integration), None)
    if mine is None or flow not in FLOWS:
        return RedirectResponse("/", 303)
    chosen = trends.metric_named(OF_FLOW, metric)
    found = await trends.of_flow(pages.database, mine, flow, chosen, _hours(hours))
    return await _page(request, found, OF_FLOW, integration)


async def _page(request: Request, found: Trend, metrics: tuple[Metric, ...], integration: str) -> Response:
    return await pages_of(request).render(
        request, "trend.html", here="overview", trend=found, metrics=metrics, integration=integration, spans=SPANS,
        written=written, sentence=sentence(found),
    )  # fmt: skip


def written(value: float | None, unit: str) -> str:
    """`184 ms`, `2 min`, `3.2 calls/s`, `42 %`, `17`."""
    if value is None:
        return "–"
    if unit in ("s", "ms"):
        return span(value / 1000 if unit == "ms" else value)
    if unit == "calls/s":
        return f"{rate(value)} calls/s"
    return f"{value:.0f}\u202f%" if unit == "%" else formats.written(f"{value:,.0f}")


def sentence(found: Trend) -> str:
    """What the chart says, for who cannot see it, and for everybody at a glance."""
    highest, unit = found.highest, found.metric.unit
    if highest is None:
        return f"Nothing was measured in the last {SPANS[found.hours]}: no worker ran, or nothing was called."
    words = f"Now {written(found.last, unit)}, at most {written(highest[1], unit)} in the last {SPANS[found.hours]}"
    if found.budget is not None:
        over = "over" if highest[1] > found.budget else "inside"
        words += f", {over} the budget of {written(found.budget, unit)}"
    return f"{words}."


def _hours(given: str) -> int:
    return int(given) if given in {str(each) for each in SPANS} else 24
