"""`ml-connector exclude`: a person leaves orders out, with a reason, or takes that back."""

from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.opened import opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.desk import actions


def command(
    integration: Annotated[str, typer.Argument(help="Name of the integration.")],
    orders: Annotated[list[str], typer.Argument(help="Order numbers.")],
    why: Annotated[str, typer.Option(help="Three words at least; stays in the audit and with the order.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back: the orders count again.")] = False,
    json: JsonOption = False,
) -> None:
    """Leave orders out of the books until you take that back with --undo.

    An order of which something is in the ERP is refused: cancel or refund it in the store, and what is booked is
    reversed. Exit status 1 when an order was refused or is not known.
    """
    out = Output(json=json)

    async def work() -> Exit:
        async with opened("exclude") as home:
            found = await home.registry.integration_named(integration)
            try:
                if undo:
                    marked = await actions.include(home.database, found.id, orders, why=why)
                else:
                    marked = await actions.exclude(home.database, found.id, orders, why=why)
            except actions.Refused as error:
                raise CliError(str(error)) from None
        count = len(marked.done)
        said = "counted again" if undo else "left out"
        out.say(f"{count} order{'' if count == 1 else 's'} {said}; a worker does the rest.")
        for why_not in marked.refused.values():
            out.say(f"Not left out: {why_not}.", style="yellow")
        if marked.unknown:
            words = "Nobody left out" if undo else "Not heard of"
            out.say(f"{words}: {', '.join(marked.unknown)}.", style="yellow")
        out.result({"done": list(marked.done), "unknown": list(marked.unknown), "refused": dict(marked.refused)})
        return Exit.FOUND if marked.unknown or marked.refused else Exit.FINE

    run(out, work)
