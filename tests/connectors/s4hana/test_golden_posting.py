"""Every journal of the worked examples can be posted to S/4HANA and is read back without a difference."""

import os
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ml_connector.connectors.base import Earlier, Lookup, Outgoing, Posted
from ml_connector.domain.documents import Dimension, Document, Kind, Line, Party, Role, Side
from ml_connector.domain.mapping import TaxGroup
from tests.connectors.s4hana.conftest import connect
from tests.connectors.s4hana.documents import ANN
from tests.connectors.s4hana.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit

GOLDEN = os.environ.get("GOLDEN_DIR", "")
pytestmark = [
    pytest.mark.golden,
    pytest.mark.skipif(not GOLDEN, reason="GOLDEN_DIR names no folder with the worked examples"),
]
FILES = sorted(Path(GOLDEN).glob("*.yaml")) if GOLDEN else []
GROUPS = (TaxGroup(("CS", "CC", "CM"), "I1", ("NY00", "NY0001", "NY00010001")),)
UNWRITTEN = (Role.RECEIVABLE, Role.TAX_PAYABLE)


def document_of(row: dict[str, Any]) -> Document:
    lines = tuple(
        Line(
            Role(line["role"]),
            str(line["account"]),
            Side(line["side"]),
            Decimal(line["amount"]),
            text=line.get("text", ""),
            tax_code=line.get("tax_code", ""),
            dimension=Dimension(**line.get("dimension", {})),
            assignment=line.get("assignment", ""),
        )
        for line in row["lines"]
    )
    return Document(
        kind=Kind(row["kind"]),
        reference=row["reference"],
        generation=1,
        posting_date=date.fromisoformat(row["posting_date"]),
        document_date=date.fromisoformat(row["document_date"]),
        currency=row["currency"],
        customer=str(row["customer"]),
        text=row["text"],
        lines=lines,
        applies_to=row.get("applies_to", ""),
        reverses=row.get("reverses", ""),
        party=Party("guest", ANN, one_time=True) if row.get("one_time") else None,
    )


def original_of(reversal: Document) -> Document:
    """What a reversal undoes, for examples that begin after it was posted."""
    return replace(
        reversal,
        kind=Kind.ORDER,
        reference=reversal.reverses,
        reverses="",
        lines=tuple(line.mirrored("") for line in reversal.lines),
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_golden_journals_post_and_read_back(path: Path, erp: Erp, services: LocalServices):
    expected = YAML(typ="safe").load(path)["expected"].get("journal") or {}
    documents = [document_of(row) for row in expected.get("documents", [])]
    if not documents:
        assert expected.get("outcome") != "documents"
        return
    sent = [original_of(each) for each in documents if each.kind is Kind.REVERSAL] + documents
    lines = [line for document in sent for line in document.lines]
    erp.seed(
        gl_accounts=sorted({line.account for line in lines if line.role not in UNWRITTEN}),
        customers=sorted({document.customer for document in sent if document.customer}),
        tax_codes=sorted({code for line in lines for code in line.tax_code.split("+") if code}),
        profit_centers=sorted({line.dimension.profit_center for line in lines if line.dimension.profit_center}),
        cost_centers=sorted({line.dimension.cost_center for line in lines if line.dimension.cost_center}),
    )
    connector = connect(erp, services, tax_groups=GROUPS)
    assert await connector.check(sent) == {}
    numbers: dict[str, str] = {}
    for document in sent:
        earlier = {reference: Earlier(number) for reference, number in numbers.items()}
        (result,) = await connector.post([Outgoing(document, earlier)], TestPermit())
        assert isinstance(result, Posted), (document.reference, result)
        numbers[document.reference] = result.number
    stored = await connector.find([Lookup(document) for document in sent])
    for document in sent:
        (there,) = stored[document.reference]
        assert there.number == numbers[document.reference]
        assert connector.differences(document, there) == []
    assert all(entry["ignored_elements"] == [] for entry in erp.entries())
    await connector.close()
