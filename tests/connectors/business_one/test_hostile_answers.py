"""Whatever a server answers is read, or is a `ValueError` that becomes one of our errors: never anything else."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ml_connector.connectors.base import Lookup
from ml_connector.connectors.business_one import customers
from ml_connector.connectors.business_one.answers import failure_of, told_by
from ml_connector.connectors.business_one.batch import _parts, rows_of
from ml_connector.connectors.business_one.settings import B1Settings
from ml_connector.connectors.business_one.stored import Reading, differences, documents_of, drafts_of
from ml_connector.connectors.business_one.tables import ALL, DOCUMENT_SELECT, DRAFT_SELECT, PAYMENT_SELECT
from ml_connector.connectors.errors import ConnectorError
from tests.connectors.business_one.documents import customer, invoice, payment

NAMES = sorted(
    {
        *DOCUMENT_SELECT,
        *PAYMENT_SELECT,
        *DRAFT_SELECT,
        *customers.SELECT,
        "BaseEntry",
        "LineTotal",
        "Quantity",
        "VatGroup",
    }
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["csYes", "csCancellation", "tYES", "2026-03-07", "oInvoices", "BC-S1-10311-I", "bo_BillTo"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=12,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=12), max_size=4)
SETTINGS = B1Settings("erp", "https://b1.example", "SBO", "mlc")


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_rows_of_documents(rows: list[dict[str, Any]]) -> None:
    for target in ALL:
        with suppress(ValueError):
            for stored in [*documents_of(target, rows, Reading()), *drafts_of(target, rows)]:
                assert all(isinstance(line.amount, Decimal) for line in stored.lines)
                differences(payment() if target.payment else invoice(), stored, SETTINGS)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_rows_of_partners(rows: list[dict[str, Any]]) -> None:
    lookup = Lookup(customer())
    rows = [{**row, customers.EXTERNAL_ID: lookup.document.base_reference} for row in rows]
    with suppress(ValueError):
        for stored in customers.hits_of(lookup.document, rows, SETTINGS):
            customers.differences(lookup.document, stored)


@given(
    st.integers(400, 599),
    JSON
    | st.fixed_dictionaries({"error": JSON})
    | st.fixed_dictionaries({"error": st.fixed_dictionaries({"code": JSON, "message": JSON})}),
)
@settings(max_examples=60, deadline=None)
def test_errors(status: int, data: Any) -> None:
    with suppress(ValueError):
        told = told_by(status, data)
        assert isinstance(failure_of(told, "here", write=True), ConnectorError)
        assert isinstance(told.words, str)


@given(JSON)
@settings(max_examples=40, deadline=None)
def test_lists(data: Any) -> None:
    with suppress(ValueError):
        assert all(isinstance(row, dict) for row in rows_of(data))


PIECES = st.lists(
    st.sampled_from(
        [b"--b1", b"--b1--", b"\r\n", b"\r\n\r\n", b"\n\n", b"--c1", b"--c1--", b"HTTP/1.1 201 Created", b"{}", b":",
         b"Content-Type: multipart/mixed;boundary=c1", b"Content-Type: multipart/mixed;boundary=b1",
         b"Content-Type: application/http"]
    )
    | st.binary(max_size=6),
    max_size=24,
)  # fmt: skip


@given(PIECES)
@settings(max_examples=150, deadline=None)
def test_batches(pieces: list[bytes]) -> None:
    with suppress(ValueError):
        for part in _parts(b"".join(pieces), "multipart/mixed;boundary=b1"):
            assert 100 <= part.status <= 999
            assert part.told.status == part.status
