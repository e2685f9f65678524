"""``SQLQueries``: stored, checked when stored, run page by page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ml_connector.sandbox.business_one.company import Company
from ml_connector.sandbox.business_one.errors import B1Error, duplicate_key, refused
from ml_connector.sandbox.business_one.fields import Row
from ml_connector.sandbox.business_one.sql.parse import Query, parse
from ml_connector.sandbox.business_one.sql.run import check, first_rows, run, versions
from ml_connector.sandbox.business_one.store import Key

PARAM = re.compile(r"\s*(\w+)\s*=\s*('(?:[^']|'')*'|-?\d+(?:\.\d+)?)\s*(?:[&,]|$)")
KEPT = 8


@dataclass
class Queries:
    company: Company
    _results: dict[Any, list[dict[str, Any]]] = field(default_factory=dict[Any, list[dict[str, Any]]])
    _runs: int = 0

    def create(self, given: Row) -> Row:
        """Raises ``B1Error`` 701, 702 or 703 for a text that is not allowed, -2035 for a code that is there."""
        if not given.get("SqlCode") or not given.get("SqlText"):
            raise refused("Specify SqlCode and SqlText")
        table = self.company.table("SQLQueries")
        if table.get(given["SqlCode"]) is not None:
            raise duplicate_key()
        row = {"SqlName": given["SqlCode"], **given, **self._checked(str(given["SqlText"]))}
        row.update(CreateDate=self.company.today(), UpdateDate=self.company.today())
        table.put((given["SqlCode"],), row)
        return row

    def change(self, key: Key, given: Row) -> None:
        checked = self._checked(str(given["SqlText"])) if given.get("SqlText") else {}
        self.company.table("SQLQueries").change(key, **{**given, **checked}, UpdateDate=self.company.today())

    def page(
        self, row: Row, given: Mapping[str, Any], skip: int, size: int | None, *, fold_case: bool
    ) -> tuple[list[dict[str, Any]], bool]:
        """The rows from ``skip`` and whether there are more. HANA gives no stable order that was not asked for."""
        query: Query = row["_query"]
        mark = (row["SqlText"], tuple(sorted(given.items())), fold_case, versions(self.company, query))
        rows = self._results.get(mark)
        if rows is None and not skip and size is not None:
            first = first_rows(self.company, query, given, size + 1, fold_case=fold_case)
            if first is not None:
                return first[:size], len(first) > size
        if rows is None:
            rows = run(self.company, query, given, fold_case=fold_case)
            while len(self._results) >= KEPT:
                self._results.pop(next(iter(self._results)))
            self._results[mark] = rows
        if size is None:
            return rows[skip:], False
        if not query.order and self.company.settings.database == "hana" and len(rows) > size:
            self._runs += 1
            turn = self._runs % len(rows)
            rows = rows[turn:] + rows[:turn]
        return rows[skip : skip + size], len(rows) > skip + size

    def _checked(self, text: str) -> Row:
        query = parse(text)
        check(self.company, query)
        return {"SqlText": text, "ParamList": ",".join(sorted(query.parameters)) or None, "_query": query}


def read_parameters(text: str) -> dict[str, Any]:
    """``k='A0'&n=3``; raises ``B1Error`` 704."""
    found: dict[str, Any] = {}
    position = 0
    while text[position:].strip():
        match = PARAM.match(text, position)
        if match is None:
            raise B1Error(400, 704, f"Invalid parameter list '{text}'")
        found[match[1]] = match[2][1:-1].replace("''", "'") if match[2].startswith("'") else Decimal(match[2])
        position = match.end()
    return found
