"""SOAP 1.1: envelopes built from field tables in the order of the WSDL, a hardened parser, faults."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from lxml import etree

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_ENVELOPE_12 = "http://www.w3.org/2003/05/soap-envelope"

XmlElement = etree._Element  # pyright: ignore[reportPrivateUsage] - lxml has no public name for it


class FieldError(ValueError):
    """A value does not fit the field that it belongs into. `field`: its path."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Amount:
    """A decimal with its currency as attribute."""

    value: str
    currency: str


Value = str | date | Decimal | bool | Amount | Mapping[str, "Value"] | Sequence[Mapping[str, "Value"]]
Kind = Literal["token", "string", "date", "amount", "decimal", "boolean", "complex"]


@dataclass(frozen=True, slots=True)
class Field:
    """One element of a type: name, kind, largest length, and whether it must be there.

    `pattern`: what a token must look like. `since`: the service version that brought it. `fields`: the elements of a
    complex one.
    """

    name: str
    kind: Kind = "token"
    length: int = 0
    required: bool = False
    pattern: str = ""
    since: str = ""
    fields: tuple["Field", ...] = ()


def build(parent: XmlElement, fields: Sequence[Field], values: Mapping[str, Value], path: str = "") -> None:
    """Appends the elements of `values` to `parent` in the order of `fields`; empty ones are left out.

    Raises `FieldError` for an unknown, missing or unfitting value: the other side ignores what it does not know.
    """
    unknown = set(values) - {field.name for field in fields}
    if unknown:
        raise FieldError(f"{path}{min(unknown)}", "the service has no such element")
    for field in fields:
        value = values.get(field.name)
        if value is None or value in ("", [], ()):
            if field.required:
                raise FieldError(f"{path}{field.name}", "is required")
            continue
        if field.kind == "complex":
            rows: Sequence[Mapping[str, Value]] = [value] if isinstance(value, Mapping) else _rows(value, field, path)
            for row in rows:
                build(etree.SubElement(parent, field.name), field.fields, row, f"{path}{field.name}/")
            continue
        element = etree.SubElement(parent, field.name)
        if isinstance(value, Amount):
            element.set("currencyCode", value.currency)
        element.text = _text(field, value, f"{path}{field.name}")


def _rows(value: Value, field: Field, path: str) -> Sequence[Mapping[str, Value]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    raise FieldError(f"{path}{field.name}", "is not a group of elements")


def _text(field: Field, value: Value, path: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Amount():
            return value.value
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case str():
            return _checked(field, value, path)
        case _:
            raise FieldError(path, f"cannot hold {value!r}")


_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _checked(field: Field, value: str, path: str) -> str:
    text = _NOT_XML.sub("", value)
    if field.kind == "token":
        text = " ".join(text.split())
    if field.length and len(text) > field.length:
        raise FieldError(path, f"{text!r} is longer than {field.length} characters")
    if field.pattern and not re.fullmatch(field.pattern, text):
        raise FieldError(path, f"{text!r} has the wrong form")
    return text


# ------------------------------------------------------------------ envelope


def envelope(message: XmlElement) -> bytes:
    """A SOAP 1.1 envelope around `message`."""
    root = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soapenv": ENVELOPE})
    etree.SubElement(root, f"{{{ENVELOPE}}}Header")
    etree.SubElement(root, f"{{{ENVELOPE}}}Body").append(message)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def parse_xml(body: bytes) -> XmlElement:
    """Parses without entities, document types, network or huge trees. Raises `ValueError`."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ValueError(f"not readable as XML: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise ValueError("a document type is not accepted")
    return root


def local(element: XmlElement) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def child(element: XmlElement, name: str) -> XmlElement | None:
    return next((inner for inner in element if local(inner) == name), None)


def children(element: XmlElement, name: str) -> list[XmlElement]:
    return [inner for inner in element if local(inner) == name]


def text(element: XmlElement | None, *names: str) -> str:
    """The text at a path of names below `element`; empty when any is missing."""
    for name in names:
        if element is None:
            return ""
        element = child(element, name)
    return "" if element is None else (element.text or "").strip()


@dataclass(frozen=True, slots=True)
class Fault:
    code: str
    message: str


def body_of(raw: bytes) -> XmlElement | Fault:
    """The first element of the body, or the fault. Raises `ValueError` when it is no envelope."""
    root = parse_xml(raw)
    if root.tag not in (f"{{{ENVELOPE}}}Envelope", f"{{{_ENVELOPE_12}}}Envelope"):
        raise ValueError("not a SOAP envelope")
    body = child(root, "Body")
    message = next(iter(body), None) if body is not None else None
    if message is None:
        raise ValueError("the SOAP envelope is empty")
    if local(message) != "Fault":
        return message
    if child(message, "faultstring") is not None:
        return Fault(text(message, "faultcode"), _everything(message, ("faultstring", "detail")))
    return Fault(text(message, "Code", "Value"), _everything(message, ("Reason", "Detail")))


def _everything(element: XmlElement, names: Sequence[str]) -> str:
    """All text below the named children, once each."""
    parts = [
        piece.strip()
        for name in names
        for found in children(element, name)
        for piece in found.itertext()
        if piece.strip()
    ]
    return "; ".join(dict.fromkeys(parts))[:1000]
