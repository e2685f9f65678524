"""`ml-connector sandbox`: passes through to the sandbox's own command line."""

import typer

from ml_connector.sandbox.cli import run as run_sandbox


def command(context: typer.Context) -> None:
    """Serve stand-ins of the systems for a trial."""
    raise typer.Exit(run_sandbox(context.args))
