"""The planner reproduces the worked accounting examples, document by document and line by line.

The examples are not part of this repository: GOLDEN_DIR names their folder. Documents are compared as a sequence, the
lines of one as a multiset; `why` and texts are for the reader.
"""

import os
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from ml_connector.config.mapping import mapping_from
from ml_connector.config.policy import policy_from
from ml_connector.connectors.bigcommerce.wire import snapshot_from
from ml_connector.domain.documents import (
    Dimension,
    Document,
    Documents,
    Excluded,
    Held,
    Kind,
    Line,
    Plan,
    PostedDocument,
    Role,
    Side,
)
from ml_connector.domain.policy import OpenPeriods
from ml_connector.planning import Facts, plan_order
from ml_connector.planning.identity import identity_of

FOLDER = os.environ.get("GOLDEN_DIR", "")
PATHS = sorted(Path(FOLDER).glob("*.yaml")) if FOLDER else []
FORMS = {
    "s4hana": "short",
    "ecc": "short",
    "gp": "short",
    "generic": "short",
    "business_one": "long",
    "acumatica": "long",
    "business_central": "long",
    "netsuite": "long",
}
HEADERS = (
    "kind",
    "reference",
    "posting_date",
    "document_date",
    "currency",
    "customer",
    "applies_to",
    "reverses",
    "adjusts",
    "exchange_rate",
    "already",
)

pytestmark = [
    pytest.mark.golden,
    pytest.mark.skipif(not FOLDER, reason="GOLDEN_DIR does not name the folder of the golden examples"),
]


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def posted_document(data: dict[str, Any]) -> PostedDocument:
    lines = tuple(
        Line(
            role=Role(line["role"]),
            account=line["account"],
            side=Side(line["side"]),
            amount=Decimal(line["amount"]),
            text=line.get("text", ""),
            tax_code=line.get("tax_code") or "",
            dimension=Dimension(**(line.get("dimension") or {})),
            assignment=line.get("assignment", ""),
            why=line.get("why", ""),
        )
        for line in data["lines"]
    )
    return PostedDocument(
        Document(
            kind=Kind(data["kind"]),
            reference=data["reference"],
            generation=data["generation"],
            posting_date=date.fromisoformat(data["posting_date"]),
            document_date=date.fromisoformat(data["document_date"]),
            currency=data["currency"],
            customer=data["customer"],
            text=data["text"],
            lines=lines,
            applies_to=data.get("applies_to", ""),
            reverses=data.get("reverses", ""),
            adjusts=data.get("adjusts", ""),
            exchange_rate=Decimal(data["exchange_rate"]) if data.get("exchange_rate") else None,
        )
    )


def planned(example: dict[str, Any], style: Literal["journal", "sales"] = "journal") -> Plan:
    periods = example.get("periods") or {}
    bounds = {name: date.fromisoformat(day) for name, day in periods.items()}
    target = example["expected"][style]["target"]
    facts = Facts(
        periods=OpenPeriods(**bounds),
        posted=tuple(posted_document(data) for data in example["input"].get("posted", [])),
        reference_form=FORMS[target],
        style=style,
        family=target,
    )
    written = example["policy"] | (example.get("policy_sales") or {} if style == "sales" else {})
    return plan_order(snapshot_from(example["input"]), mapping_from(example["mapping"]), policy_from(written), facts)


def header(document: Document) -> dict[str, str]:
    values = {
        "kind": document.kind.value,
        "reference": document.reference,
        "posting_date": document.posting_date.isoformat(),
        "document_date": document.document_date.isoformat(),
        "currency": document.currency,
        "customer": document.customer,
        "applies_to": document.applies_to,
        "reverses": document.reverses,
        "adjusts": document.adjusts,
        "exchange_rate": "" if document.exchange_rate is None else str(document.exchange_rate),
        "already": str(document.already),
    }
    return {name: values[name] for name in HEADERS}


def expected_header(data: dict[str, Any]) -> dict[str, str]:
    return {name: str(data.get(name, False if name == "already" else "")) for name in HEADERS}


def line_facts(line: Line, currency: str) -> tuple[str, ...]:
    dimension = line.dimension
    return (
        line.role.value,
        line.account,
        line.side.value,
        str(line.amount),
        currency,
        line.tax_code,
        dimension.profit_center,
        dimension.cost_center,
        dimension.segment,
        line.assignment,
    )


def expected_line_facts(data: dict[str, Any]) -> tuple[str, ...]:
    dimension = data.get("dimension") or {}
    return (
        data["role"],
        data["account"],
        data["side"],
        data["amount"],
        data["currency"],
        data.get("tax_code") or "",
        dimension.get("profit_center", ""),
        dimension.get("cost_center", ""),
        dimension.get("segment", ""),
        data.get("assignment", ""),
    )


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_golden_identity(path: Path) -> None:
    example = load(path)
    identity = identity_of(snapshot_from(example["input"]))
    assert identity.basis == example["identity"]["basis"]
    assert str(identity.residue) == example["identity"]["residue"]


def itemised_facts(line: Line) -> dict[str, object]:
    sold = line.itemised
    if sold is None:
        return {}
    return {
        "line_type": sold.type.value,
        "predicted": sold.predicted,
        "item": sold.item,
        "quantity": sold.quantity,
        "unit_price": sold.unit_price,
        "discount_amount": sold.discount_amount,
    }


def expected_itemised_facts(data: dict[str, Any]) -> dict[str, object]:
    """What the example says of an itemised line; a price may be left unsaid, as on what comes back."""
    if "line_type" not in data:
        return {}
    said: dict[str, object] = {
        "line_type": data["line_type"],
        "predicted": data.get("predicted", False),
        "item": data.get("item", ""),
        "quantity": Decimal(data.get("quantity", 0)),
    }
    return said | {name: Decimal(data[name]) for name in ("unit_price", "discount_amount") if name in data}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_golden_journal(path: Path) -> None:
    example = load(path)
    check(planned(example), example["expected"]["journal"])


def check(plan: Plan, expected: dict[str, Any]) -> None:
    outcome = {Documents: "documents", Held: "hold", Excluded: "excluded"}[type(plan)]
    assert outcome == expected["outcome"], plan
    if isinstance(plan, Held):
        assert plan.code == expected["hold"]["code"]
        figures = {str(value) for name, value in expected["hold"].items() if name != "code"}
        assert figures <= set((plan.facts or {}).values())
    elif isinstance(plan, Excluded):
        assert plan.code == expected["excluded"]["code"]
    else:
        assert [header(document) for document in plan.documents] == [
            expected_header(data) for data in expected["documents"]
        ]
        for document, data in zip(plan.documents, expected["documents"], strict=True):
            got = Counter(line_facts(line, document.currency) for line in document.lines)
            assert got == Counter(expected_line_facts(line) for line in data["lines"]), document.reference
            if "total" in data:
                assert str(document.total) == data["total"]
                check_itemised(document, data)
            else:
                assert document.balance == 0
        about = {(note.about, note.code) for note in plan.notes}
        assert about == {(f"refund {note['refund']}", note["excluded"]) for note in expected.get("notes", [])}


def check_itemised(document: Document, data: dict[str, Any]) -> None:
    """Each expected line has its own line that says at least as much."""
    left = [(line_facts(line, document.currency), itemised_facts(line)) for line in document.lines]
    for line in data["lines"]:
        amounts, said = expected_line_facts(line), expected_itemised_facts(line)
        match = next((one for one in left if one[0] == amounts and said.items() <= one[1].items()), None)
        assert match is not None, (line, left)
        left.remove(match)
    assert left == []


SALES = [path for path in PATHS if "sales" in load(path)["expected"]]
"""Of every family, also of those whose ERP comes later: its row of the table is enough to plan for it."""


@pytest.mark.parametrize("path", SALES, ids=lambda path: path.stem)
def test_golden_sales(path: Path) -> None:
    example = load(path)
    expected = example["expected"]["sales"]
    check(planned(example, "sales"), expected)


def test_golden_folder_has_examples() -> None:
    assert PATHS, f"no *.yaml in {FOLDER}"
