"""`docs/new-connector.md` names what there is: every name in it exists, and what a connector has to know is in it."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ml_connector.connectors import base, errors
from ml_connector.connectors.base import Ledger, Services, Settings, System, Timing

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "new-connector.md").read_text()
PROSE = re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", PROSE)))
PLACES = (ROOT, ROOT / "src" / "ml_connector", ROOT / "src" / "ml_connector" / "connectors" / "s4hana", ROOT / "tests")
SOURCES = [
    *(ROOT / "src").rglob("*.py"),
    *(ROOT / "tests" / "conformance").glob("*.py"),
    *(ROOT / "tests" / "docs").glob("test_pages.py"),
    *(ROOT / "tests" / "contract").glob("*.py"),
]
WORDS = set(re.findall(r"\w+", "\n".join(path.read_text() for path in SOURCES)))
ROUTES = "\n".join(path.read_text() for path in (ROOT / "src" / "ml_connector" / "sandbox").rglob("*.py"))


def is_path(name: str) -> bool:
    return "/" in name and " " not in name and "<" not in name


@pytest.mark.parametrize("name", [name for name in NAMED if is_path(name)])
def test_paths_exist(name: str) -> None:
    assert any((place / name).exists() for place in PLACES), name


@pytest.mark.parametrize("name", [n for n in NAMED if re.fullmatch(r"\w+\.(py|md|toml)", n)])
def test_files_exist(name: str) -> None:
    homes = (*PLACES, ROOT / "tests" / "conformance", ROOT / "src" / "ml_connector" / "connectors" / "bigcommerce")
    assert any((place / name).exists() for place in homes), name


@pytest.mark.parametrize(
    "name", [n for n in NAMED if re.fullmatch(r"[A-Za-z_][\w.]*", n) and not n.endswith((".py", ".md", ".toml"))]
)
def test_names_exist(name: str) -> None:
    assert set(name.split(".")) <= WORDS, name


@pytest.mark.parametrize("route", re.findall(r"`(?:GET|POST) (/\w+)(?:/\w+)?`", PROSE))
def test_control_routes_exist(route: str) -> None:
    assert f'"{route}' in ROUTES, route


CAPABILITIES = [n for n in base.__all__ if getattr(getattr(base, n), "_is_runtime_protocol", False)]
ERRORS = [n for n, each in vars(errors).items() if isinstance(each, type) and each.__module__ == errors.__name__]


def test_the_collector_finds_capabilities() -> None:
    assert {"Ledger", "Pings", "ListsDocuments", "ReceivesWebhooks"} <= set(CAPABILITIES)


@pytest.mark.parametrize("name", CAPABILITIES)
def test_every_capability_is_named_with_who_asks_for_it(name: str) -> None:
    assert re.search(rf"^\| [^|]*`{name}`[^|]*\|[^|]+\|[^|]+\|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_named(name: str) -> None:
    assert f"`{name}`" in PROSE


@pytest.mark.parametrize(
    "name",
    [
        *(each.name for declared in (System, Settings, Timing) for each in fields(declared)),
        *(name for name in vars(Ledger) if not name.startswith("_")),
        *(name for name in Services.__init__.__annotations__ if name != "return"),
    ],
)
def test_every_part_of_the_contract_is_named(name: str) -> None:
    assert f"`{name}`" in PROSE


@pytest.mark.parametrize("name", [*base.PostResult.__args__, base.StoredDocument, base.Lookup, base.Outgoing])
def test_every_value_of_a_post_is_named(name: type) -> None:
    assert f"`{name.__name__}`" in PROSE
