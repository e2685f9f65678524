"""The stand-in accepts, to the cent, every journal document of the worked accounting examples.

Strictness that no correct document can satisfy would be a defect of the stand-in. How a store's order becomes these
documents is tested elsewhere; here they are only written as journal entries.
"""

from __future__ import annotations

import os
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from .client import Sap, debtor, entry, gl, tax

FOLDER = os.environ.get("GOLDEN_DIR", "")
EXAMPLES = sorted(Path(FOLDER).glob("*.yaml")) if FOLDER else []
COMBINED = {"CS+CC+CM": "J1"}
"""Several taxes on one part have one code in the ERP."""


def code_of(line: dict[str, Any]) -> str:
    code = str(line.get("tax_code") or "")
    return COMBINED.get(code, code)


def signed(line: dict[str, Any]) -> Decimal:
    return Decimal(line["amount"]) * (1 if line["side"] == "debit" else -1)


def seed_for(documents: list[dict[str, Any]], receivable: str) -> dict[str, Any]:
    lines = [line for document in documents for line in document["lines"]]
    dimensions = [line.get("dimension") or {} for line in lines]
    accounts = {line["account"] for line in lines} | {receivable}
    return {
        "gl_accounts": [{"number": each, "reconciliation": "D" if each == receivable else ""} for each in accounts],
        "customers": [
            {"number": each, "reconciliation_account": receivable}
            for each in {document["customer"] for document in documents if document.get("customer")}
        ],
        "tax_codes": sorted({code_of(line) for line in lines} - {""}),
        "profit_centers": sorted({each["profit_center"] for each in dimensions if "profit_center" in each}),
        "cost_centers": sorted({each["cost_center"] for each in dimensions if "cost_center" in each}),
    }


def written(document: dict[str, Any], receivable: str) -> str:
    items, debtors, currency = "", "", document["currency"]
    nets: dict[str, Decimal] = defaultdict(Decimal)
    taxes: dict[str, Decimal] = defaultdict(Decimal)
    for line in document["lines"]:
        value = signed(line)
        if line["role"] == "tax_payable":
            taxes[code_of(line)] += value
        elif line["account"] == receivable:
            debtors += debtor(document["customer"], str(value), currency=line["currency"])
        else:
            nets[code_of(line)] += value
            items += gl(line["account"], str(value), currency=line["currency"], tax=code_of(line), inner=assigned(line))
    codes = sorted((set(nets) | set(taxes)) - {""})
    tax_items = "".join(tax(code, str(taxes[code]), str(nets[code]), currency=currency) for code in codes)
    return entry(
        items + debtors + tax_items,
        DocumentReferenceID=document["reference"],
        DocumentHeaderText=document["text"],
        PostingDate=document["posting_date"],
        DocumentDate=document["document_date"],
    )


def assigned(line: dict[str, Any]) -> str:
    names = {"profit_center": "ProfitCenter", "cost_center": "CostCenter"}
    given = line.get("dimension") or {}
    inner = "".join(f"<{tag}>{given[name]}</{tag}>" for name, tag in names.items() if name in given)
    return f"<AccountAssignment>{inner}</AccountAssignment>" if inner else ""


@pytest.mark.skipif(not EXAMPLES, reason="GOLDEN_DIR is not set: it names the folder with the worked examples")
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_document_of_the_examples_can_be_posted(sap: Sap, file: Path) -> None:
    example = yaml.safe_load(file.read_text())
    journal = example["expected"]["journal"]
    if journal["outcome"] != "documents":
        assert "documents" not in journal
        return
    receivable = str(example["mapping"]["accounts"].get("receivable", "121000"))
    documents = [each for each in journal["documents"] if each["kind"] != "reversal"]
    sap.control("POST", "/seed", seed_for(documents, receivable))
    for document in documents:
        (told,) = sap.post(written(document, receivable))
        assert told.posted, told.notes
    assert len(sap.state("journal_entries")) == len(documents)
