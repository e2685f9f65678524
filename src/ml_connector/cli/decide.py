"""`ml-connector decide`: a person says what is true of a document that the engine will not judge by itself."""

from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.working import working
from ml_connector.desk.decide import Undecided, UnknownDocument, Verdict, decide


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
            found = await engine.home.registry.integration_named(integration)
            try:
                done = await decide(engine.runtime, found.id, reference, verdict, why=why, force=force)
            except Undecided as error:
                raise CliError(_words(error, reference), Exit.FOUND if error.shown else Exit.USAGE) from error
        out.say(f"{done.reference}: {done.said}. Record {done.record} of {done.flow} runs again.")
        out.result({"reference": done.reference, "verdict": str(verdict), "record": done.record})

    run(out, work)


def _words(error: Undecided, reference: str) -> str:
    """With what only a command can add."""
    if error.forcible:
        return f"{error} `--force` if you know better than the look-up."
    if isinstance(error, UnknownDocument):
        return f"{error} `ml-connector audit search --reference {reference}` shows what is."
    return str(error)
