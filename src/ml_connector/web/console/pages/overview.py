"""Overview: is everything fine?"""

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from ml_connector.desk import overview
from ml_connector.desk.overview import Overview
from ml_connector.desk.sides import Side, checked
from ml_connector.domain.access import Person, Right
from ml_connector.web.access import requires
from ml_connector.web.console.frame import pages_of
from ml_connector.web.console.pages import trends
from ml_connector.web.console.show import plural, span, spelled

router = APIRouter()
router.include_router(trends.router)
LOOKS = Depends(requires(Right.look))


@router.get("/")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """The page."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    found = await overview.read(pages.database, pages.registry, frame.chosen)
    return await pages.render(
        request, "overview.html", here="overview", overview=found, heading=heading(found), checked=checked
    )


@router.get("/live/overview")
async def stream(request: Request, person: Person = LOOKS) -> Response:
    """The page's part again, whenever it comes out differently."""
    pages = pages_of(request)
    frame = await pages.frame(request)

    async def render() -> str:
        found = await overview.read(pages.database, pages.registry, frame.chosen)
        return await pages.part("overview_part.html", request, overview=found, heading=heading(found), checked=checked)

    return pages.streams.open(request, render)


def heading(found: Overview) -> tuple[str, str]:
    """The answer, and the sentence below it."""
    needs = len(found.needs) + len(found.rest)
    if not found.rows:
        return "Nothing is connected yet", "Connect a store and an ERP, or open the demo, and orders appear here."
    broken = found.open_sides
    if broken:
        return _broken(broken[0], found)
    sentence = _pace(found)
    if needs:
        return f"{_spelled(needs)} need{'s' if needs == 1 else ''} a person", sentence
    return "Nothing needs you", sentence


def _broken(side: Side, found: Overview) -> tuple[str, str]:
    """What is wrong with a connection, and what becomes of what waits for it."""
    lasts = span((found.at - side.since).total_seconds()) if side.since else ""
    if side.state == "unauthorised":
        waiting = plural(side.waiting, "record waits", "records wait") if side.waiting else "Nothing waits yet"
        after = "and go by themselves afterwards" if side.waiting > 1 else "and goes by itself afterwards"
        does = f"Renew its secret or its right in Connections. {waiting}{f', {after}' if side.waiting else ''}."
        return f"{side.title} lets us in no more{f', for {lasts}' if lasts else ''}", does
    waiting = found.figures.waiting
    what = f"{plural(waiting, 'record waits', 'records wait')} as one and {'go' if waiting != 1 else 'goes'} by "
    what = f"{what}{'themselves' if waiting != 1 else 'itself'} when it answers." if waiting else "Nothing waits."
    return f"{side.title} has not answered{f' for {lasts}' if lasts else ''}", what


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
        f"{plural(found.figures.orders, 'order is', 'orders are')} booked today."
        if found.figures.orders
        else "No order was booked today."
    )
    return f"{words}. {booked}"


def _spelled(count: int) -> str:
    return f"{spelled(count)} thing{'' if count == 1 else 's'}"
