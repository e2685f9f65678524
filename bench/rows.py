"""What a bench says: rows of a value against its target, as a table and as JSON."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `target` None: for information; such a row always holds."""

    row: str
    value: float
    unit: str
    target: float | None = None
    better: Better = "lower"

    @property
    def holds(self) -> bool:
        if self.target is None:
            return True
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


def median_rows(name: str, values: Sequence[float], unit: str, target: float, better: Better) -> list[Row]:
    """The median against its target, and the lowest and highest of the rounds beside it."""
    return [
        Row(name, round(statistics.median(values), 3), unit, target, better),
        Row(f"{name}, lowest of {len(values)}", round(min(values), 3), unit, better=better),
        Row(f"{name}, highest of {len(values)}", round(max(values), 3), unit, better=better),
    ]


def percentile(values: Sequence[float], part: float) -> float:
    """`part` in 0..1; the nearest value that really occurred."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def show(rows: Sequence[Row], console: Console) -> None:
    table = Table(title="ml-connector bench")
    for heading, side in (("row", "left"), ("value", "right"), ("unit", "left"), ("target", "right"), ("", "left")):
        table.add_column(heading, justify="right" if side == "right" else "left")
    for row in rows:
        target = "" if row.target is None else f"{'≤' if row.better == 'lower' else '≥'} {row.target:g}"
        verdict = "" if row.target is None else "[green]holds[/]" if row.holds else "[red]misses[/]"
        table.add_row(row.row, f"{row.value:,.3f}".rstrip("0").rstrip("."), row.unit, target, verdict)
    console.print(table)


def write(rows: Sequence[Row], file: Path) -> None:
    """`row`, `value`, `unit`, `target` (null: for information), `better`, `holds`."""
    file.write_text(json.dumps([{**asdict(row), "holds": row.holds} for row in rows], indent=1) + "\n")
