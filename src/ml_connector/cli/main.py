"""`ml-connector`: one table of commands. Only the module of the called command is loaded, so `--help` is quick."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer

from ml_connector.cli.exits import DEBUG


@dataclass(frozen=True, slots=True)
class Command:
    """`module`: below `ml_connector.cli`; it offers a function `command`, or, for a `group`, a Typer `app`."""

    module: str
    help: str
    group: bool = False
    passes_through: bool = False


COMMANDS: dict[str, Command] = {
    "demo": Command("demo", "See it work: a sandbox store and ERP, orders, postings and the tie-out."),
    "serve": Command("serve", "Receive webhooks, answer health checks and metrics; with --worker also do the work."),
    "worker": Command("worker", "Do the work: read, plan and post what is due."),
    "ping": Command("ping", "Check every connection, or one, and say what is missing."),
    "setup": Command("setup", "Make what a system needs (fields, tables) before documents can go there."),
    "plan": Command("plan", "Show the documents that orders would make, without posting."),
    "sync": Command("sync", "Bring orders in now: by number, or a window of days (backfill)."),
    "status": Command("status", "What waits, what is held and why, what is done."),
    "stock": Command("stock", "How fresh each SKU's stock is, what drifted, what the oversell guard did."),
    "replay": Command("replay", "Run records again, whatever their status; the only way out of dead."),
    "release": Command("release", "End holds of one kind."),
    "exclude": Command("exclude", "Leave orders out of the books, with a reason, or take that back."),
    "decide": Command("decide", "Say what is true of a held document, after looking at it in the ERP."),
    "reconcile": Command("reconcile", "Compare store, our postings and the ERP: completeness and sums, day by day."),
    "audit": Command("audit", "Search every call and change of state; verify that nothing was altered.", group=True),
    "check": Command("check", "Send a test order the whole way through a test pair, now."),
    "alerts": Command("alerts", "What is wrong, who is told of it, and whether the channels work.", group=True),
    "user": Command("user", "Who may sign in, with which role; tokens for programs.", group=True),
    "config": Command("config", "Show, check, apply and export the configuration.", group=True),
    "sandbox": Command("sandbox", "Serve stand-ins of the systems for a trial.", passes_through=True),
    "migrate": Command("migrate", "Bring the database up to this version."),
    "restored": Command(
        "restored", "Say that the database was restored from a backup: sending waits until it is safe."
    ),
}


_PASS_THROUGH: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": ["--help-of-passing-through"],
}


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ml-connector {version('ml-connector')}")
        raise typer.Exit


def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Connects a BigCommerce store with the ERP behind it.

    Without DATABASE_URL an embedded PostgreSQL is used. Exit status: 0 fine, 1 something is wrong, 2 usage or
    configuration, 3 cannot reach a system or the database.
    """
    del show_version
    if debug:
        os.environ[DEBUG] = "1"


def _stub() -> None:
    """Stands for a command in `--help`; the called command is loaded instead."""


def build(called: str) -> typer.Typer:
    """The application with the module of the command `called` loaded, all others known by name and help alone."""
    app = typer.Typer(
        name="ml-connector", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
        rich_markup_mode="rich", callback=_main,
    )  # fmt: skip
    for name, command in COMMANDS.items():
        if name != called:
            app.command(name, help=command.help)(_stub)
            continue
        module = import_module(f"ml_connector.cli.{command.module}")
        if command.group:
            app.add_typer(module.app, name=name, help=command.help)
        else:
            app.command(name, help=command.help, context_settings=_PASS_THROUGH if command.passes_through else None)(
                module.command
            )
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the program."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    called = next((argument for argument in given if not argument.startswith("-")), "")
    build(called)(given)


if __name__ == "__main__":
    main()
