"""What a command says: tables and sentences for a person, one JSON document for a script (`--json`)."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPE_COLUMNS = 160

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document for scripts.")]


class Output:
    """Standard output of one command. `json`: only `result` prints, everything said for a person is left out."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        # Rich takes 80 columns for anything that is no terminal; a file or a pipe has room for whole rows.
        self._out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else PIPE_COLUMNS)
        self._err = Console(stderr=True, soft_wrap=True, highlight=False)

    def say(self, text: str, *, style: str | None = None) -> None:
        """A sentence for a person. `text` is shown as it is, without markup."""
        if not self.json:
            self._out.print(escape(text), style=style)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table for a person; nothing when there are no rows."""
        cells = [[escape(_cell(value)) for value in row] for row in rows]
        if self.json or not cells:
            return
        table = Table(title=escape(title), title_justify="left", title_style="bold", header_style="bold")
        for column in columns:
            table.add_column(escape(column), overflow="fold")
        for row in cells:
            table.add_row(*row)
        self._out.print(table)

    def result(self, value: object) -> None:
        """The whole answer for a script: one line of JSON. Decimals are strings, moments are ISO 8601."""
        if self.json:
            typer.echo(to_json(value))

    def line(self, text: str) -> None:
        """A line as it is, in both forms: streams of JSON lines, exported files."""
        typer.echo(text)

    def problem(self, message: str, status: int, details: Mapping[str, Any] | None = None) -> None:
        """What went wrong: to standard error for a person, as JSON to standard output for a script."""
        if self.json:
            typer.echo(to_json({"error": message, "status": status, **(details or {})}))
        else:
            self._err.print(escape(message), style="red")


def to_json(value: object) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, sort_keys=True)


def _plain(value: object) -> Any:
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): item for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, Iterable):
        return list(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return str(value)
