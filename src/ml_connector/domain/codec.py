"""Domain values as plain JSON and back: how documents are kept in the ledger of postings and shown to people.

`Decimal` becomes a string (its digits are kept), dates become ISO 8601. The way back is strict.
"""

from typing import Any

from pydantic import TypeAdapter

from ml_connector.domain.documents import Document

_document = TypeAdapter(Document)


def document_to_json(document: Document) -> dict[str, Any]:
    """`document` as a JSON object; derived values (fingerprint, balance) are not part of it."""
    return _document.dump_python(document, mode="json")


def document_from_json(data: object) -> Document:
    """The document that `document_to_json` wrote. Raises `pydantic.ValidationError` on anything else."""
    return _document.validate_python(data, strict=False)
