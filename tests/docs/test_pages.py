"""The pages say what the program has: undocumented means red. Links lead somewhere, and commands are written right."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ml_connector.cli.main import COMMANDS, build
from ml_connector.config.schema import config_schema
from ml_connector.connectors import bigcommerce, business_one, errors, s4hana
from ml_connector.domain.documents import ExcludedCode, HoldCode
from ml_connector.engine.metrics import Metrics
from ml_connector.engine.records import Status

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "ml_connector"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
OPERATIONS = (DOCS / "operations.md").read_text()
COMMAND_LINE = (DOCS / "cli.md").read_text()
SETTINGS_PAGES = "\n".join(
    (DOCS / name).read_text()
    for name in (
        "configuration.md",
        "mapping.md",
        "policy.md",
        "setup/bigcommerce.md",
        "setup/s4hana.md",
        "setup/business-one.md",
    )
)


# ------------------------------------------------------------------ what the program can write


def literals(node: ast.AST) -> Iterator[str]:
    """String constants of an expression, whatever the conditions around them; not those of the conditions."""
    if isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from literals(value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        yield node.value


def hold_kinds_in(tree: ast.AST) -> Iterator[str]:
    """Kinds given to `Hold` and `Stopped`, and as `hold=` to `Refused`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in ("Hold", "Stopped"):
            given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "kind")]
        elif node.func.id == "Refused":
            given = [keyword.value for keyword in node.keywords if keyword.arg == "hold"]
        else:
            continue
        for value in given:
            yield from literals(value)


def modules() -> Iterator[ast.Module]:
    for path in sorted(SOURCE.rglob("*.py")):
        if "sandbox" not in path.parts:
            yield ast.parse(path.read_text())


def hold_kinds() -> list[str]:
    return sorted({str(code) for code in HoldCode} | {kind for tree in modules() for kind in hold_kinds_in(tree)})


def exclusion_reasons() -> list[str]:
    """The codes of the planner, and reasons that flows write as `code: words`."""
    written = re.compile(r"""reason=f?["']([a-z_]+): """)
    found = {reason for path in SOURCE.rglob("*.py") for reason in written.findall(path.read_text())}
    return sorted({str(code) for code in ExcludedCode} | found)


def test_the_collector_finds_what_is_written_by_other_parts_than_the_planner() -> None:
    assert {"connection", "rejected", "plan_changed", "posting_held", "master_data", "unmapped"} <= set(hold_kinds())
    assert "not_in_store" in exclusion_reasons()


def rows(page: str) -> set[str]:
    """First cells of table rows, in backticks."""
    return set(re.findall(r"^\| `([^`]+)`", page, re.MULTILINE))


@pytest.mark.parametrize("kind", hold_kinds())
def test_every_hold_is_explained(kind: str) -> None:
    section = OPERATIONS.partition("\n## Holds\n")[2].partition("\n## ")[0]
    assert kind in rows(section) or f"`{kind}`" in section.partition("### Reserved")[2]


@pytest.mark.parametrize("reason", exclusion_reasons())
def test_every_exclusion_is_explained(reason: str) -> None:
    assert reason in rows(OPERATIONS.partition("\n## Exclusions\n")[2].partition("\n## ")[0])


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_explained(status: Status) -> None:
    assert f"\n| {status} |" in OPERATIONS


ERRORS = [n for n, each in vars(errors).items() if isinstance(each, type) and each.__module__ == errors.__name__]


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_of_a_connection_is_explained(name: str) -> None:
    assert f"`{name}`" in OPERATIONS


def metric_names() -> list[str]:
    families = list(Metrics().registry.collect())
    return sorted(f"{each.name}_total" if each.type == "counter" else each.name for each in families)


@pytest.mark.parametrize("name", metric_names())
def test_every_metric_is_explained(name: str) -> None:
    assert f"`{name}`" in OPERATIONS


# ------------------------------------------------------------------ the command line


def commands() -> dict[str, Any]:
    """`config apply` and the like; `sandbox` has a parser of its own, which the page describes in one line."""
    found: dict[str, Any] = {}
    for name, about in COMMANDS.items():
        if about.passes_through:
            continue
        program: Any = typer.main.get_command(build(name))
        command = program.commands[name]
        if about.group:
            found |= {f"{name} {inner}": each for inner, each in command.commands.items()}
        else:
            found[name] = command
    return found


def options_of(command: Any) -> list[str]:
    return [
        option
        for parameter in command.params
        if parameter.param_type_name == "option"
        for option in parameter.opts
        if option.startswith("--")
    ]


@pytest.mark.parametrize("name", sorted(commands()) + [n for n, each in COMMANDS.items() if each.passes_through])
def test_every_command_is_on_the_page_of_the_command_line(name: str) -> None:
    assert f"## `{name}`" in COMMAND_LINE or re.search(rf"^\| `{name}\b", COMMAND_LINE, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "option"), [(name, option) for name, command in commands().items() for option in options_of(command)]
)
def test_every_option_is_on_the_page_of_the_command_line(name: str, option: str) -> None:
    common = COMMAND_LINE.partition("\n## `")[0]
    section = COMMAND_LINE.partition(f"\n## `{name.split()[0]}`")[2].partition("\n## ")[0]
    assert re.search(rf"{re.escape(option)}\b", common + section)


def written_commands() -> list[tuple[str, str]]:
    """(page, call) of every `ml-connector ...` in the pages, in backticks or at a prompt."""
    call = re.compile(r"(?:`|\$ |^ *)(?:\.venv/bin/)?ml-connector ([^`\n]+)", re.MULTILINE)
    return [
        (str(page.relative_to(ROOT)), found.split("  ")[0].strip())
        for page in PAGES
        for found in call.findall(page.read_text())
    ]


@pytest.mark.parametrize(("page", "call"), written_commands())
def test_commands_in_the_pages_exist(page: str, call: str) -> None:
    words = call.split()
    if words[0].isupper() or not words[0].isalpha():  # COMMAND, an option before the command, what --version says
        return
    assert words[0] in COMMANDS, f"{page}: ml-connector {call}"
    if COMMANDS[words[0]].passes_through or (COMMANDS[words[0]].group and words[1:2] == []):
        return
    name = " ".join(words[:2]) if COMMANDS[words[0]].group else words[0]
    for alternative in name.replace(words[0], "", 1).strip().split("|") if COMMANDS[words[0]].group else [""]:
        command = commands()[f"{words[0]} {alternative}".strip()]
        given = {word.split("=")[0].strip("[],.") for word in words if word.lstrip("[").startswith("--")}
        assert given <= {*options_of(command), "--no-watchdog", "--help"}, f"{page}: ml-connector {call}"


# ------------------------------------------------------------------ configuration


SCHEMA = config_schema({each.name: each for each in (bigcommerce.system, business_one.system, s4hana.system)})


def keys_of(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node.get("properties", {})
        for value in node.values():
            yield from keys_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys_of(value)


@pytest.mark.parametrize("key", sorted(set(keys_of(SCHEMA))))
def test_every_key_of_the_configuration_is_explained(key: str) -> None:
    """In `configuration.md` or the page that it leaves the key to: in backticks, or in an example."""
    assert re.search(rf"`{re.escape(key)}`|[\s{{]{re.escape(key)}:|`\{{[^`]*\b{re.escape(key)}:", SETTINGS_PAGES)


# ------------------------------------------------------------------ links and paths


def anchors(page: Path) -> set[str]:
    """As hosts of Markdown make them from headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


def links() -> list[tuple[str, str]]:
    prose = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    link = re.compile(r"\]\(([^)\s]+)\)")
    return [
        (str(page.relative_to(ROOT)), target)
        for page in PAGES
        for target in link.findall(prose.sub("", page.read_text()))
        if "://" not in target
    ]


@pytest.mark.parametrize(("page", "target"), links())
def test_links_lead_somewhere(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    found = (ROOT / page).parent / path if path else ROOT / page
    assert found.exists(), f"{page} links to {target}"
    if anchor:
        assert anchor in anchors(found), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`(docs/[\w./-]+)`", page.read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_path_of_somebodys_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(?:work|tmp|root|home|Users)/", page.read_text())
