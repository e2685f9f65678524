"""Reconciliation: does it tie?"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ml_connector.desk import actions, reconciliation
from ml_connector.desk.reconciliation import Books
from ml_connector.domain.access import Person, Right
from ml_connector.reconcile.causes import ABOUT
from ml_connector.web.access import requires
from ml_connector.web.console.frame import chosen_integration, pages_of
from ml_connector.web.console.show import State, plural, spelled

router = APIRouter()
LOOKS = Depends(requires(Right.look))
DECIDES = Depends(requires(Right.decide))

DAYS = {
    "ties": State("ok", "Ties"),
    "open": State("hold", "Ties, some not posted yet"),
    "explained": State("ok", "Differs, explained"),
    "differs": State("dead", "Differs"),
    "none": State("wait", "Not compared"),
}
DONE = {
    "explained": "Explained, and closed as long as its amounts stay as they are.",
    "again": "It is open again.",
    "replay": "Marked. It runs again as soon as a worker is free; the next comparison shows what became of it.",
    "now": "Both sides are read again now. The page shows the days as soon as the worker has compared them.",
    "unknown": "No worker has set the comparison up yet: start one, and it runs every night.",
}


@router.get("/reconciliation")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """The page. `day`: the one that is opened, else the newest that differs. `line`: the finding that is being
    explained."""
    return await _page(request)


async def _page(request: Request, status: int = 200, problem: str = "", line: str = "", typed: str = "") -> Response:
    pages = pages_of(request)
    frame = await pages.frame(request)
    given = request.query_params
    books = await reconciliation.read(
        pages.database, chosen_integration(frame, await pages.registry.integrations()),
        month=given.get("month", ""), currency=given.get("currency", ""),
    )  # fmt: skip
    return await pages.render(
        request, "reconciliation.html", status, here="reconciliation", books=books, heading=heading(books), days=DAYS,
        opened=given.get("day", ""), about=ABOUT, done=DONE.get(given.get("done", ""), ""), link=Link(request),
        problem=problem, line=line or given.get("line", ""), typed=typed, beside=line in _names(books),
    )  # fmt: skip


def _names(books: Sequence[Books]) -> set[str]:
    """Of the findings that the page may show."""
    return {each.name for one in books for each in (*one.undated, *(f for line in one.lines for f in line.findings))}


@router.get("/reconciliation/export.csv")
async def export(request: Request, person: Person = LOOKS) -> Response:
    """Every day that is kept: sums, accounts that differ, findings."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    books = await reconciliation.read(
        pages.database, chosen_integration(frame, await pages.registry.integrations())
    )  # fmt: skip
    every, said = await reconciliation.kept(pages.database)
    # The names of integrations hold what a header may hold (`config`), and the zone of the days is in the name.
    name = f"reconciliation-{frame.chosen or 'all'}-{datetime.now(UTC):%Y-%m-%d}-{frame.store_zone}.csv"
    safe = "".join(each if each.isascii() and (each.isalnum() or each in "-._") else "_" for each in name)
    headers = {"Content-Disposition": f'attachment; filename="{safe}"', "Cache-Control": "no-store"}
    lines = (line + "\n" for line in reconciliation.export(books, every, said))
    return StreamingResponse(lines, headers=headers, media_type="text/csv; charset=utf-8")


@router.post("/reconciliation/now")
async def compare_now(request: Request, integration: Annotated[str, Form()] = "", person: Person = DECIDES) -> Response:
    """Marks the nightly record of one integration."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    chosen = next((each for each in frame.choices if each.name == integration), None)
    known = chosen is not None and await reconciliation.compare_now(pages.database, chosen.id)
    told = {"integration": integration} if chosen else {}
    return RedirectResponse("/reconciliation?" + urlencode({**told, "done": "now" if known else "unknown"}), 303)


@router.post("/reconciliation/line")
async def act(
    request: Request,
    do: Annotated[str, Form()],
    line: Annotated[str, Form()] = "",
    order: Annotated[str, Form()] = "",
    why: Annotated[str, Form()] = "",
    person: Person = DECIDES,
) -> Response:
    """Explains a finding, takes that back, or replays its order. The integration and the day are in the address."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    here = next((each for each in frame.choices if each.name == request.query_params.get("integration", "")), None)
    if here is None:
        return await _page(request, 422, "Nothing was changed: the integration is not there any more.")
    done = "explained"
    try:
        if do == "replay":
            marked = await actions.replay(
                pages.database, here.id, "orders", [order], why="asked for beside a difference"
            )
            done = "replay" if marked.done else ""
        elif do == "again":
            await reconciliation.unexplain(pages.database, here.id, line)
            done = "again"
        else:
            await reconciliation.explain(pages.database, here.id, line, why)
    except actions.Refused as error:
        return await _page(request, 422, str(error), line, why)
    day = request.query_params.get("day", "")
    return RedirectResponse(Link(request)(done=done) + (f"#d{day}" if day.replace("-", "").isdecimal() else ""), 303)


class Link:
    """The page's address with some things changed."""

    def __init__(self, request: Request) -> None:
        kept = ("integration", "month", "currency", "day")
        self._given = {name: request.query_params[name] for name in kept if request.query_params.get(name)}

    def __call__(self, **changes: str) -> str:
        kept = {name: value for name, value in {**self._given, **changes}.items() if value}
        return f"/reconciliation?{urlencode(kept)}" if kept else "/reconciliation"


def heading(books: Sequence[Books]) -> tuple[str, str]:
    """The answer, and the sentence below it."""
    compared = [each for each in books if each.read_at is not None]
    if not books:
        return "Nothing is connected yet", "Connect a store and an ERP, and every night both are compared, day by day."
    if not compared:
        return "Nothing was compared yet", "The first night is still to come; then every day is shown here."
    lines = [line for each in compared for line in each.lines]
    differing = [line for line in lines if line.state == "differs"]
    loose = sum(sum(found.open for found in each.undated) + each.undated_more for each in compared)
    said = sum(line.explained for line in lines) + sum(
        found.said is not None for each in compared for found in each.undated
    )
    still = sum(line.state == "open" for line in lines)
    tie = f"{plural(len(lines) - len(differing), 'day')} {'ties' if len(lines) - len(differing) == 1 else 'tie'}"
    words = f"{tie}{f', {still} of them with orders that are not posted yet' if still else ''}."
    if said:
        words += f" {plural(said, 'difference')} {'is' if said == 1 else 'are'} explained."
    if differing or loose:
        count = len(differing)
        what = f"{spelled(count)} {'day differs' if count == 1 else 'days differ'}" if count else "Something differs"
        return what, words + (f" {plural(loose, 'finding')} of no day." if loose else "")
    return ("It ties, but for what is explained" if said else "It ties to the cent"), words
