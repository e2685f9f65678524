"""`ml-connector config`: the configuration as files: diff, apply, export, schema, key rotation."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ml_connector.cli.exits import CliError, Exit
from ml_connector.cli.opened import opened
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.settling import user
from ml_connector.config.apply import apply, diff
from ml_connector.config.diff import Change
from ml_connector.config.export import as_data, as_yaml
from ml_connector.config.load import Loaded, load_file
from ml_connector.config.schema import config_schema
from ml_connector.config.setup import read_stored
from ml_connector.connectors.systems import systems
from ml_connector.engine.audit import append, entry

app = typer.Typer(no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="The configuration file (YAML or JSON).")]


@app.command("check")
def check_file(file: FileArgument, json: JsonOption = False) -> None:
    """Read the file alone and say everything that is wrong in it. Needs no database."""
    out = Output(json=json)

    async def work() -> None:
        loaded = load_file(file, systems())
        out.say(f"{file}: {_counted(loaded)}, nothing wrong.")
        out.result({"file": str(file), "problems": []})

    run(out, work)


@app.command("diff")
def show_diff(file: FileArgument, json: JsonOption = False) -> None:
    """What would change. Exit status 1 when something would, 2 when it must not be applied."""
    out = Output(json=json)

    async def work() -> int:
        loaded = load_file(file, systems())
        async with opened("config diff") as home:
            changes, problems = await diff(home.database, home.vault, loaded, os.environ)
        _say_changes(out, changes, "Nothing would change.")
        for problem in problems:
            out.say(f"Cannot be applied: {problem}", style="red")
        out.result(
            {"changes": [change.as_json() for change in changes], "problems": [asdict(problem) for problem in problems]}
        )
        return Exit.USAGE if problems else Exit.FOUND if changes else Exit.FINE

    run(out, work)


@app.command("apply")
def apply_file(
    file: FileArgument,
    author: Annotated[str, typer.Option(help="Who is named in the history. Default: the user of this machine.")] = "",
    json: JsonOption = False,
) -> None:
    """Make the database hold what the file says, all of it or nothing, and release what waited for it."""
    out = Output(json=json)

    async def work() -> None:
        loaded = load_file(file, systems())
        async with opened("config apply") as home:
            done = await apply(home.database, home.vault, loaded, os.environ, author=author or user())
            names = {each.id: each.name for each in await home.registry.integrations(active=False)}
        _say_changes(out, done.changes, "Nothing changed.")
        for name in done.mapping_versions.keys() | done.policy_versions.keys():
            parts = (("mapping", done.mapping_versions.get(name)), ("policy", done.policy_versions.get(name)))
            out.say(f"{name}: now " + ", ".join(f"{part} version {version}" for part, version in parts if version))
        for lane, keys in done.released.items():
            out.say(f"{names[lane.integration]}: {len(keys)} held {lane.flow} released.")
        out.result(
            {
                "changes": [change.as_json() for change in done.changes],
                "mapping_versions": done.mapping_versions,
                "policy_versions": done.policy_versions,
                "released": [
                    {"integration": names[lane.integration], "flow": lane.flow, "keys": keys}
                    for lane, keys in done.released.items()
                ],
            }
        )

    run(out, work)


@app.command("export")
def export_file(
    file: Annotated[Path | None, typer.Argument(help="Where to write; standard output when left out.")] = None,
    json: JsonOption = False,
) -> None:
    """Write what is configured now as a file. Secrets appear as references only."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("config export") as home, home.database.connect() as connection:
            stored = await read_stored(connection)
        if json:
            out.result(as_data(stored.setup))
        elif file is None:
            out.line(as_yaml(stored.setup).rstrip("\n"))
        else:
            try:
                file.write_text(as_yaml(stored.setup), encoding="utf-8")
            except OSError as error:
                raise CliError(f"{file} cannot be written: {error.strerror}.") from error
            out.say(f"Written to {file}.")

    run(out, work)


@app.command("schema")
def show_schema(
    json: Annotated[bool, typer.Option("--json", help="Accepted for uniformity: the schema is JSON.")] = True,
) -> None:
    """Print the JSON schema of a configuration file, for editors and other tools."""
    out = Output(json=json)

    async def work() -> None:
        Output(json=True).result(config_schema(systems()))

    run(out, work)


@app.command("rotate-key")
def rotate_key(json: JsonOption = False) -> None:
    """Wrap all stored secrets by the next master key. Safe to run again if it was interrupted."""
    out = Output(json=json)

    async def work() -> None:
        async with opened("config rotate-key") as home:
            wrapped = await home.vault.rotate_key()
            async with home.database.connect() as connection:
                await append(connection, [entry("key_rotated", data={"wrapped": wrapped, "by": user()})])
        out.say(f"{wrapped} data key{'' if wrapped == 1 else 's'} wrapped by the new master key.")
        out.say("Back up the new key with the database: without it the credentials cannot be read.")
        out.result({"wrapped": wrapped})

    run(out, work)


def _say_changes(out: Output, changes: "list[Change] | tuple[Change, ...]", nothing: str) -> None:
    if not changes:
        out.say(nothing)
    signs = {"add": ("+", "green"), "remove": ("-", "red"), "change": ("~", "yellow")}
    for change in changes:
        sign, style = signs[change.action]
        out.say(f"{sign} {change.words}", style=style)


def _counted(loaded: Loaded) -> str:
    connections, integrations = len(loaded.config.connections), len(loaded.config.integrations)
    return f"{connections} connection(s), {integrations} integration(s)"
