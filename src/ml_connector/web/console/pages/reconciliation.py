"""Reconciliation: does it tie?"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ml_connector.desk import reconciliation
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
    "differs": State("dead", "Differs"),
    "none": State("wait", "Not compared"),
}
DONE = {
    "now": "Both sides are read again now. The page shows the days as soon as the worker has compared them.",
    "unknown": "No worker has set the comparison up yet: start one, and it runs every night.",
}


@router.get("/reconciliation")
async def show(request: Request, person: Person = LOOKS) -> Response:
    """The page. `day`: the one that is opened, else the newest that differs."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    given = request.query_params
    books = await reconciliation.read(
        pages.database, chosen_integration(frame, await pages.registry.integrations()),
        month=given.get("month", ""), currency=given.get("currency", ""),
    )  # fmt: skip
    return await pages.render(
        request, "reconciliation.html", here="reconciliation", books=books, heading=heading(books), days=DAYS,
        opened=given.get("day", ""), about=ABOUT, done=DONE.get(given.get("done", ""), ""), link=Link(request),
    )  # fmt: skip


@router.get("/reconciliation/export.csv")
async def export(request: Request, person: Person = LOOKS) -> Response:
    """Every day that is kept: sums, accounts that differ, findings."""
    pages = pages_of(request)
    frame = await pages.frame(request)
    books = await reconciliation.read(
        pages.database, chosen_integration(frame, await pages.registry.integrations())
    )  # fmt: skip
    every = await reconciliation.kept(pages.database)
    # The names of integrations hold what a header may hold (`config`), and the zone of the days is in the name.
    name = f"reconciliation-{frame.chosen or 'all'}-{datetime.now(UTC):%Y-%m-%d}-{frame.zone}.csv"
    safe = "".join(each if each.isascii() and (each.isalnum() or each in "-._") else "_" for each in name)
    headers = {"Content-Disposition": f'attachment; filename="{safe}"', "Cache-Control": "no-store"}
    lines = (line + "\n" for line in reconciliation.export(books, every))
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
    loose = sum(len(each.undated.differences) + each.undated.more for each in compared if each.undated)
    still = sum(line.state == "open" for line in lines)
    tie = f"{plural(len(lines) - len(differing), 'day')} {'ties' if len(lines) - len(differing) == 1 else 'tie'}"
    words = f"{tie}{f', {still} of them with orders that are not posted yet' if still else ''}."
    if differing or loose:
        count = len(differing)
        what = f"{spelled(count)} {'day differs' if count == 1 else 'days differ'}" if count else "Something differs"
        return what, words + (f" {plural(loose, 'finding')} of no day." if loose else "")
    return "It ties to the cent", words
