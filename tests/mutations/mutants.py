"""What a mutant is: a rule, the words that are taken out of the code for it, and the tests that must turn red."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
PACKAGE = "ml_connector"

RED = ("AssertionError", "Failed")
"""How a test says no: a false assertion, `pytest.fail` or "DID NOT RAISE". Anything else a mutant must name."""


class StaleMutant(Exception):
    """The code has moved: what the mutant takes out is not there, or is there more than once. Write it anew."""


@dataclass(frozen=True, slots=True)
class Edit:
    """`search` occurs in the file exactly once. `file` below the package."""

    file: str
    search: str
    replace: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """`rule` as in the first column of a table of the page; `without`: what is taken out, in words.

    `tests`: node IDs, each of which must fail. `fails_with`: exceptions besides `RED` that say it too. `own_server`:
    the schema itself is changed, so that a template made of the unchanged source proves nothing.
    """

    rule: str
    without: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    fails_with: tuple[str, ...] = ()
    own_server: bool = False

    def apply(self, source: Path) -> None:
        """Changes the copy of the source at `source`. Raises `StaleMutant`."""
        for edit in self.edits:
            path = source / PACKAGE / edit.file
            text = path.read_text()
            if text.count(edit.search) != 1:
                raise StaleMutant(
                    f"{self.rule}, without {self.without}: {edit.file} holds {text.count(edit.search)} times, and must "
                    f"hold once:\n{edit.search}"
                )
            path.write_text(text.replace(edit.search, edit.replace))


def mutant(
    rule: str,
    without: str,
    file: str,
    *edits: tuple[str, str],
    red: str | Sequence[str],
    fails_with: Sequence[str] = (),
    own_server: bool = False,
) -> Mutant:
    """All edits in one file, each a pair of search and replace. `red`: blank-separated `file::test`, below `tests/`."""
    names = red.split() if isinstance(red, str) else red
    return Mutant(
        rule,
        without,
        tuple(Edit(file, search, replace) for search, replace in edits),
        tuple(f"tests/{name}" for name in names),
        tuple(fails_with),
        own_server,
    )


def together(*parts: Mutant) -> Mutant:
    """One mutant with the edits of several files."""
    first = parts[0]
    edits = tuple(edit for part in parts for edit in part.edits)
    return Mutant(first.rule, first.without, edits, first.tests, first.fails_with, first.own_server)
