"""`ml-connector decide`: a person says what is true of a document that the engine will not judge by itself."""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.opened import Opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.settling import user
from ml_connector.cli.working import Working, working
from ml_connector.connectors.base import STANDS, Lookup, StoredDocument
from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.codec import document_from_json
from ml_connector.engine import postings, records
from ml_connector.engine.audit import append, entry
from ml_connector.engine.evidence import unseen_for_s, words_of
from ml_connector.engine.postings import Posting, State, Step
from ml_connector.engine.records import Lane


class Verdict(StrEnum):
    """What the person found in the ERP."""

    RIGHT = "right"
    GONE = "gone"
    RETRY = "retry"


STATES = {Verdict.RIGHT: State.POSTED, Verdict.GONE: State.VOID, Verdict.RETRY: State.PLANNED}
SAID = {
    Verdict.RIGHT: "what the ERP has is right as it is; it is taken and never changed by itself",
    Verdict.GONE: "it is not live in the ERP; the next run may post the next generation",
    Verdict.RETRY: "it is tried again, after a look-up as always",
}
MADE_AGAIN = {
    Step.REVERSE: "the reversal is not in the ERP; what it undid is live there, and it is sent again after a look-up",
    Step.CREATE: "it is not there, and is created again after a look-up",
}


def command(
    integration: Annotated[str, typer.Argument(help="Name of the integration.")],
    reference: Annotated[str, typer.Argument(help="The document as the ERP has it, e.g. S1-O10250 or S1-O10250-2.")],
    verdict: Annotated[
        Verdict,
        typer.Argument(
            help="right: it is right as it is. gone: deleted or reversed by hand. "
            "retry: refused for a reason that is mended."
        ),
    ],
    why: Annotated[str, typer.Option(help="For the audit.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="With `right`: although the ERP does not show exactly one live document.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what is true of a held document, after looking at it in the ERP.

    Never on a document whose outcome is still unknown: that is looked up, not decided. The ERP is asked first: `gone`
    is refused while a live document stands there, because the next generation would book it twice; `right` is refused
    unless exactly one does. A reversal, a customer or a shipment that is gone is made again under its own reference.
    """
    out = Output(json=json)

    async def work() -> None:
        async with working("decide") as engine:
            home = engine.home
            found = await home.registry.integration_named(integration)
            posting = await _posting(home, found.id, reference.upper())
            if verdict is Verdict.GONE:
                await _require_gone(engine, posting)
            number = await _number_there(engine, posting, force=force) if verdict is Verdict.RIGHT else None
            state, said = STATES[verdict], SAID[verdict]
            if verdict is Verdict.GONE and postings.decided_gone(posting) is State.PLANNED:
                state, said = State.PLANNED, MADE_AGAIN[posting.step]
            async with home.database.transaction() as connection:
                reason = f"{user()}: {why or said}"
                if not await postings.decide(connection, posting, state, why=reason, number=number):
                    raise CliError(
                        f"{reference} is {posting.state}; '{verdict}' does not apply to it. Held, refused and posted "
                        "documents can be decided; one whose outcome is unknown is looked up by itself."
                    )
                await records.raise_epoch(connection, found.id)
                await records.release(connection, found.id, "posting_held", [posting.name.reference])
                await records.replay(connection, found.id, posting.flow, [posting.record_key])
                facts = {"verdict": str(verdict), "was": str(posting.state), "why": why, "by": user()}
                audited = entry(
                    "released", found.id, None, posting.flow, posting.record_key, [reference.upper()], facts
                )
                await append(connection, [audited])
            async with home.database.connect() as connection:
                await records.notify(connection, [Lane(found.id, posting.flow)])
        out.say(f"{reference}: {said}. Record {posting.record_key} of {posting.flow} runs again.")
        out.result({"reference": reference.upper(), "verdict": str(verdict), "record": posting.record_key})

    run(out, work)


async def _require_gone(engine: Working, posting: Posting) -> None:
    """The ERP itself must show nothing live under the reference, when it must show what is there by now. Raises
    `CliError`, and what the look-up raises."""
    context = await engine.runtime.context(posting.integration, None)
    left_s = unseen_for_s(posting, context.target_of(posting.connection).ledger.timing)
    if left_s > 0:
        raise CliError(
            f"{posting.name.written} was posted a moment ago, and the ERP need not show it yet: that it shows nothing "
            f"would prove nothing. Say it again in {math.ceil(left_s)} s.",
            Exit.FOUND,
        )
    live = await _live(engine, posting)
    if live:
        raise CliError(
            f"{posting.name.written} is not gone: the ERP shows it as {_named(live)}, not reversed. Posting the "
            "next generation would book it twice. If it is wrong, reverse it in the ERP first; if it is right and "
            "held, say `right`.",
            Exit.FOUND,
        )


async def _number_there(engine: Working, posting: Posting, *, force: bool) -> str | None:
    """The ERP itself must show the document, live, once and posted: under that number, which may not be the one that we
    posted, it is taken. Raises like `_require_gone`; None where it is taken by `force`."""
    try:
        live = await _live(engine, posting)
    except ConnectorError:
        if force:
            return None
        raise
    if len(live) == 1 and live[0].state in STANDS:
        return live[0].number
    if not force:
        if len(live) == 1:
            raise CliError(
                f"{posting.name.written} is not right as it is: the ERP shows it as {_named(live)}, and nothing of it "
                "is booked. Make a posted document of it in the ERP, or delete it, then say `retry`.",
                Exit.FOUND,
            )
        shown = f"{len(live)} live documents ({_named(live)})" if live else "no live document"
        raise CliError(
            f"{posting.name.written} is not right as it is: the ERP shows {shown} under this reference. Say `gone` for "
            "what was deleted or reversed there, or leave one of two. `--force` if you know better than the look-up.",
            Exit.FOUND,
        )
    return None


async def _live(engine: Working, posting: Posting) -> list[StoredDocument]:
    """What the ERP shows under the reference now, but for what is reversed."""
    context = await engine.runtime.context(posting.integration, None)
    document = document_from_json(posting.content)
    ledger = context.target_of(posting.connection).ledger
    stored = (await ledger.find([Lookup(document)])).get(document.reference, ())
    return [each for each in stored if each.reference == document.reference and not each.reversed_by]


def _named(documents: Sequence[StoredDocument]) -> str:
    return ", ".join(
        each.number + (f" (as {words_of(each.state)})" if each.state not in STANDS else "") for each in documents
    )


async def _posting(home: Opened, integration: int, reference: str) -> Posting:
    base, _, suffix = reference.rpartition("-")
    names = [(reference, 1), *([(base, int(suffix))] if suffix.isdigit() and int(suffix) > 1 else [])]
    async with home.database.connect() as connection:
        rows = await postings.read(connection, integration, [name for name, _ in names])
    for name, row in rows.items():
        if (name.reference, name.generation) in names:
            return row
    raise CliError(
        f"No document {reference} is known; `ml-connector audit search --reference {reference}` shows what is."
    )
