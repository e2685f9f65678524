"""Rows of one entity set, by key, with the leading key as an index; every change can be undone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ml_connector.sandbox.s4hana.odata.fields import EntityType, Row

Key = tuple[Any, ...]


@dataclass
class Undo:
    """What brings the tables back to where a transaction began."""

    steps: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    depth: int = 0

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing; an inner transaction that fails takes back its own steps."""
        mark = len(self.steps)
        self.depth += 1
        try:
            yield
        except BaseException:
            while len(self.steps) > mark:
                self.steps.pop()()
            raise
        finally:
            self.depth -= 1
            if self.depth == 0:
                self.steps.clear()


@dataclass
class Table:
    type: EntityType
    undo: Undo
    _rows: dict[Key, Row] = field(default_factory=dict[Key, Row])
    _by_first: dict[Any, dict[Key, Row]] = field(default_factory=lambda: defaultdict(dict))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: Key) -> Row | None:
        return self._rows.get(key)

    def put(self, row: Row) -> None:
        key = self.type.key_of(row)
        before = self._rows.get(key)
        self._set(key, row)
        self.undo.steps.append(lambda: self._drop(key) if before is None else self._set(key, before))

    def drop(self, row: Row) -> None:
        key = self.type.key_of(row)
        self._drop(key)
        self.undo.steps.append(lambda: self._set(key, row))

    def rows(self, values: Mapping[str, frozenset[Any]] | None = None) -> Iterable[Row]:
        """All rows, or those whose leading key has one of the values."""
        wanted = (values or {}).get(self.type.keys[0].name)
        if wanted is None:
            return list(self._rows.values())
        return [row for value in wanted for row in self._by_first.get(value, {}).values()]

    def below(self, first: Any) -> Iterable[Row]:
        return list(self._by_first.get(first, {}).values())

    def clear(self) -> None:
        self._rows.clear()
        self._by_first.clear()

    def _set(self, key: Key, row: Row) -> None:
        self._rows[key] = row
        self._by_first[key[0]][key] = row

    def _drop(self, key: Key) -> None:
        del self._rows[key]
        del self._by_first[key[0]][key]
