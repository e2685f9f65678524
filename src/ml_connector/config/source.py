"""A YAML (or JSON) file as plain values, with the line and column of every one of them.

Numbers with a fraction become `Decimal`, never float; whole numbers with a leading zero stay text, because account
numbers are often written so; dates stay text. A key given twice is an error, as is anything that is not plain data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ml_connector.config.problems import ConfigError, Path, Problem, spelled

LARGEST = 5_000_000
"""Characters of a file at most."""

_NODES = 500_000  # after aliases are expanded: a file of a few lines can name billions
_OPEN_BRACKETS = 200
_BRACKETS = re.compile(r"[\[\]{}]")
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Source:
    """`data`: the file's values. `places`: (line, column) from 1, by path; of the key where there is one."""

    file: str
    data: Any
    places: Mapping[Path, tuple[int, int]] = field(default_factory=dict[Path, tuple[int, int]])

    def problem(self, path: Path, message: str) -> Problem:
        """`message` at the place of `path`, or of the nearest thing above it that is in the file."""
        known = path
        while known and known not in self.places:
            known = known[:-1]
        line, column = self.places.get(known, (1, 1))
        return Problem(self.file, line, column, spelled(path), message)


def read_source(text: str, file: str) -> Source:
    """Raises `ConfigError` with the place of a syntax error."""
    if len(text) > LARGEST:
        raise ConfigError([Problem(file, 1, 1, "", f"the file is larger than {LARGEST} characters")])
    if _is_too_deep(text):
        raise ConfigError([Problem(file, 1, 1, "", "brackets are nested too deep, or one is not closed")])
    try:
        yaml: Any = YAML(typ="safe", pure=True)
        node: Any = yaml.compose(text)
    except MarkedYAMLError as error:
        marked: Any = error  # the library has no types
        mark = marked.problem_mark or marked.context_mark
        line, column = (int(mark.line) + 1, int(mark.column) + 1) if mark else (1, 1)
        words = " ".join(str(part) for part in (marked.context, marked.problem) if part)
        raise ConfigError([Problem(file, line, column, "", f"this is not valid YAML: {words}")]) from error
    except (YAMLError, ValueError, RecursionError, AssertionError) as error:  # asserts: a %YAML line that is no version
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError([Problem(file, 1, 1, "", f"this is not valid YAML: {words}")]) from error
    if node is None:
        raise ConfigError([Problem(file, 1, 1, "", "the file is empty")])
    reader = _Reader(file)
    data = reader.value(node, ())
    if reader.problems:
        raise ConfigError(reader.problems)
    return Source(file, data, reader.places)


def _is_too_deep(text: str) -> bool:
    """Asked before parsing: the scanner looks at every open bracket again for every new one."""
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        depth = depth + 1 if bracket.group() in "[{" else max(0, depth - 1)
        if depth > _OPEN_BRACKETS:
            return True
    return False


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self._nodes = 0

    def value(self, node: Any, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > _NODES or len(path) > 50:
            raise ConfigError([self._problem(node, path, "the file grows too large or too deep when it is expanded")])
        self.places.setdefault(path, _place(node))
        kind = str(node.tag).removeprefix(_TAG)
        if node.id != "scalar" and kind not in ("map", "seq"):
            self.problems.append(self._problem(node, path, f"a value of the kind {kind!r} has no place here"))
            return None
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            return [self.value(item, (*path, position)) for position, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if key.id != "scalar":
                self.problems.append(self._problem(key, path, "a key must be a plain word"))
                continue
            name = str(key.value)
            if name in values:
                first = self.places[(*path, name)][0]
                self.problems.append(self._problem(key, (*path, name), f"is given twice, first in line {first}"))
                continue
            self.places[(*path, name)] = _place(key)
            values[name] = self.value(value, (*path, name))
        return values

    def _scalar(self, node: Any, path: Path) -> Any:
        kind, text = str(node.tag).removeprefix(_TAG), str(node.value)
        if kind in ("str", "timestamp"):
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in ("true", "yes", "on")
        bare = text.replace("_", "").lstrip("+-")
        if kind == "int" and len(bare) > 1 and bare.startswith("0") and bare.isdigit():
            return text
        try:
            if kind == "int":
                return int(text.replace("_", ""), 0)
            if kind == "float":
                return Decimal(text.replace("_", ""))
        except (ValueError, InvalidOperation):
            pass
        self.problems.append(self._problem(node, path, f"a value of the kind {kind!r} has no place here; quote it"))
        return None

    def _problem(self, node: Any, path: Path, message: str) -> Problem:
        line, column = _place(node)
        return Problem(self.file, line, column, spelled(path), message)


def _place(node: Any) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
