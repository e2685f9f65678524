"""Exported orders as files: a folder per order with the answers of the store's API, or one JSON file per order.

A folder holds `order.json`, `products.json`, `shipping_addresses.json`, `coupons.json`, `taxes.json` (with details),
`transactions.json`, `refunds.json` and where they apply `fees.json`, `b2b.json`, `customer.json`; `store.json`
(`GET /v2/store`) beside or above them. A JSON file has these names as keys, at the top or under `input`. Lists are
taken bare or in the `{"data": [...]}` of the v3 API.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from ml_connector.cli.exits import CliError
from ml_connector.connectors.bigcommerce.wire import WireError, snapshot_from
from ml_connector.domain.orders import OrderSnapshot

PARTS = (
    *("order", "products", "shipping_addresses", "coupons", "taxes", "fees", "transactions", "refunds"),
    *("store", "b2b", "customer"),
)
_NEEDED = ("order", "products")
_EXPECTED = ("shipping_addresses", "coupons", "taxes", "transactions", "refunds", "store")


@dataclass(frozen=True, slots=True)
class OrderFile:
    """One exported order: `snapshot`, or `problem` in words. `absent`: parts that every order has and that were not
    exported, so they count as empty. `tables`: what else the file brought (`mapping`, ...)."""

    path: Path
    snapshot: OrderSnapshot | None = None
    problem: str = ""
    absent: tuple[str, ...] = ()
    tables: Mapping[str, Any] = field(default_factory=dict[str, Any])


def read_orders(path: Path) -> list[OrderFile]:
    """Every order at or below `path`, sorted by name. Raises `CliError` when there is none."""
    if not path.exists():
        raise CliError(f"{path} does not exist: give a folder of exported orders, or one JSON file.")
    found = [_order(place) for place in _places(path)]
    if not found:
        raise CliError(
            f"{path} holds no exported order: expected folders with {', '.join(f'{name}.json' for name in _NEEDED)}, "
            "..., or JSON files with these names as keys."
        )
    return found


def _places(path: Path) -> list[Path]:
    if path.is_file() or (path / "order.json").is_file():
        return [path]
    folders = {file.parent for file in path.rglob("order.json")}
    files = {file for file in path.glob("*.json") if file.stem not in PARTS}
    return sorted(folders | files)


def _order(place: Path) -> OrderFile:
    try:
        parts = _file(place) if place.is_file() else _folder(place)
        tables = {name: parts[name] for name in ("mapping", "policy", "periods") if name in parts}
        given = parts.get("input", parts)
        if not isinstance(given, Mapping):
            return OrderFile(place, problem=f"{place}: `input` must be an object")
        named = {name: _bare(value) for name, value in cast("Mapping[str, Any]", given).items() if name in PARTS}
        missing = [name for name in _NEEDED if name not in named]
        if missing:
            return OrderFile(place, problem=f"{place}: {', '.join(missing)} is missing")
        absent = tuple(name for name in _EXPECTED if name not in named)
        return OrderFile(place, snapshot_from(named), absent=absent, tables=tables)
    except WireError as error:
        return OrderFile(place, problem=f"{place}: {error}")
    except json.JSONDecodeError as error:
        return OrderFile(place, problem=f"{place}: line {error.lineno}, column {error.colno}: no JSON: {error.msg}")
    except UnicodeDecodeError:
        return OrderFile(place, problem=f"{place}: the file is not UTF-8 text")
    except OSError as error:
        return OrderFile(place, problem=f"{error.filename or place} cannot be read: {error.strerror}")


def _file(path: Path) -> dict[str, Any]:
    data = _json(path)
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _folder(path: Path) -> dict[str, Any]:
    """The parts in a folder; `store.json` may lie above, because all orders share it."""
    parts = {name: _json(file) for name in PARTS if (file := path / f"{name}.json").is_file()}
    above = path.parent / "store.json"
    if "store" not in parts and above.is_file():
        parts["store"] = _json(above)
    return parts


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def _bare(value: object) -> object:
    """A v3 answer's content; 204 was saved as an empty file's `null`."""
    if isinstance(value, Mapping) and isinstance(inner := cast("Mapping[str, Any]", value).get("data"), list):
        return cast("object", inner)
    return cast("object", value)
