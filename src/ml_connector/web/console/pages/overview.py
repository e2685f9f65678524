"""Overview: is everything fine?"""

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from ml_connector.desk import overview
from ml_connector.desk.overview import Overview
from ml_connector.domain.access import Person, Right
from ml_connector.web.access import requires
from ml_connector.web.console.frame import pages_of
from ml_connector.web.console.show import spelled

router = APIRouter()
LOOKS = Depends(requires(Right.look))


@router.get("/")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """The page."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    found = await overview.read(pages.database, pages.registry, frame.chosen)
    return await pages.render(request, "overview.html", here="overview", overview=found, heading=heading(found))


@router.get("/live/overview")
async def stream(request: Request, person: Person = LOOKS) -> Response:
    """The page's part again, whenever it comes out differently."""
    pages = pages_of(request)
    frame = await pages.frame(request)

    async def render() -> str:
        found = await overview.read(pages.database, pages.registry, frame.chosen)
        return await pages.part("overview_part.html", request, overview=found, heading=heading(found))

    return pages.streams.open(request, render)


def heading(found: Overview) -> tuple[str, str]:
    """The answer, and the sentence below it."""
    needs = len(found.needs) + len(found.rest)
    if not found.rows:
        return "Nothing is connected yet", "Connect a store and an ERP, or open the demo, and orders appear here."
    broken = found.open_sides
    if broken:
        side = broken[0]
        waiting = found.figures.waiting
        what = "Nothing waits." if not waiting else f"{waiting:,} records wait as one and go by themselves."
        return f"{side.title} does not answer", what
    sentence = _pace(found)
    if needs:
        return f"{_spelled(needs)} need{'s' if needs == 1 else ''} a person", sentence
    return "Nothing needs you", sentence


def _pace(found: Overview) -> str:
    late = found.late
    if late:
        name, row = late[0]
        words = f"{row.flow.capitalize()} of {name} are late"
    else:
        words = "Every flow is inside its latency budget"
    if found.figures.last_booked is None:
        return f"{words}. No order was booked yet."
    booked = (
        f"{found.figures.orders:,} orders are booked today." if found.figures.orders else "No order was booked today."
    )
    return f"{words}. {booked}"


def _spelled(count: int) -> str:
    return f"{spelled(count)} thing{'' if count == 1 else 's'}"
