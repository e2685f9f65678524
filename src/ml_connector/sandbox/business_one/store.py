"""Tables of rows with undo: a transaction is all or nothing. Rows are replaced, never changed in place."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ml_connector.sandbox.business_one.errors import B1Error
from ml_connector.sandbox.business_one.fields import Row

Key = tuple[Any, ...]


@dataclass
class Undo:
    """What takes back the writes since the transaction began."""

    steps: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    _depth: int = 0

    def note(self, step: Callable[[], None]) -> None:
        if self._depth:
            self.steps.append(step)

    @contextmanager
    def transaction(self, *, all_or_nothing: bool = False) -> Generator[None]:
        """Undone when left by an exception, except one that keeps what was written; ``all_or_nothing`` knows none.

        Inner ones join the outer.
        """
        self._depth += 1
        mark = len(self.steps)
        try:
            yield
        except B1Error as error:
            if all_or_nothing or not error.keep:
                self._back_to(mark)
            raise
        except BaseException:
            self._back_to(mark)
            raise
        finally:
            self._depth -= 1
            if not self._depth:
                self.steps.clear()

    def _back_to(self, mark: int) -> None:
        while len(self.steps) > mark:
            self.steps.pop()()


@dataclass
class Table:
    undo: Undo
    rows: dict[Key, Row] = field(default_factory=dict[Key, Row])
    _indexes: dict[str, dict[Any, dict[Key, None]]] = field(default_factory=dict[str, dict[Any, dict[Key, None]]])
    version: int = 0
    """Moves with every write."""
    _sorted: list[Key] | None = None

    def get(self, *key: Any) -> Row | None:
        return self.rows.get(key)

    def put(self, key: Key, row: Row) -> None:
        before = self.rows.get(key)
        self._set(key, row)
        self.undo.note(lambda: self._set(key, before))

    def change(self, key: Key, **values: Any) -> Row:
        """Replace the row by one with these values."""
        row = {**self.rows[key], **values}
        self.put(key, row)
        return row

    def delete(self, key: Key) -> None:
        before = self.rows[key]
        self._set(key, None)
        self.undo.note(lambda: self._set(key, before))

    def matching(self, equals: Mapping[str, frozenset[Any]]) -> Iterator[tuple[Key, Row]]:
        """Rows that can have one of the values in each field, by an index; all of them where nothing is asked."""
        if not equals:
            yield from list(self.rows.items())
            return
        name, values = min(equals.items(), key=lambda item: len(item[1]))
        index = self._index(name)
        keys = {key: None for value in values for key in index.get(value, ())}
        for key in keys:
            yield key, self.rows[key]

    def in_key_order(self, since: Any = None) -> Iterator[Row]:
        """Rows by key; those whose first key is at least ``since``, where that is given."""
        if self._sorted is None:
            self._sorted = sorted(self.rows)
        keys = self._sorted
        start = 0 if since is None else bisect_left(keys, (since,))
        for position in range(start, len(keys)):
            yield self.rows[keys[position]]

    def _index(self, name: str) -> dict[Any, dict[Key, None]]:
        index = self._indexes.get(name)
        if index is None:
            index = self._indexes[name] = {}
            for key, row in self.rows.items():
                index.setdefault(row.get(name), {})[key] = None
        return index

    def _set(self, key: Key, row: Row | None) -> None:
        self.version += 1
        before = self.rows.get(key)
        if (before is None) != (row is None):
            self._sorted = None
        for name, index in self._indexes.items():
            if before is not None:
                index.get(before.get(name), {}).pop(key, None)
            if row is not None:
                index.setdefault(row.get(name), {})[key] = None
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row
