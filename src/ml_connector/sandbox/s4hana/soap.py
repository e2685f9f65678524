"""SOAP 1.1 and 1.2: read a posting request under its field tables, write confirmations and faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ml_connector.sandbox.s4hana.messages import ERROR, INFORMATION, Message
from ml_connector.sandbox.s4hana.soap_tables import (
    CONFIRMATION,
    NAMESPACE,
    REQUEST,
    STRUCTURES,
    Part,
    parts,
)
from ml_connector.sandbox.s4hana.soap_values import read_value
from ml_connector.sandbox.s4hana.xmltree import Node, NotXml, element, parse, text_element

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
CONTENT_TYPES = {SOAP_11: "text/xml; charset=utf-8", SOAP_12: "application/soap+xml; charset=utf-8"}

Element = dict[str, Any]


class SoapFault(Exception):
    """Answered with HTTP 500 and this text as faultstring."""


@dataclass
class PostingRequest:
    """``version`` is the envelope's namespace; ``ignored`` lists elements that the service passed over in silence."""

    version: str
    bulk: Element
    ignored: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Outcome:
    """What became of one journal entry."""

    message_id: str | None
    document: str
    company: str
    year: str
    messages: Sequence[Message]

    @property
    def severity(self) -> str:
        return max((message.severity for message in self.messages), default=INFORMATION)


def envelope_version(body: bytes) -> str:
    """The namespace of the envelope, SOAP 1.1 where it cannot be read."""
    return SOAP_12 if SOAP_12.encode() in body[:2000] else SOAP_11


def read_request(body: bytes) -> PostingRequest:
    """Raises ``SoapFault``."""
    try:
        root = parse(body)
    except NotXml as error:
        raise SoapFault(f"XML parsing failed: {error}") from error
    if root.name != "Envelope" or root.namespace not in CONTENT_TYPES:
        raise SoapFault("SOAP processing failure: the document is no SOAP envelope")
    bodies = [child for child in root.children if (child.name, child.namespace) == ("Body", root.namespace)]
    children: list[Node] = list(bodies[0].children) if bodies else []
    if [(child.name, child.namespace) for child in children] != [(REQUEST, NAMESPACE)]:
        raise SoapFault(f"SOAP processing failure: operation not found, {{{NAMESPACE}}}{REQUEST} is expected")
    ignored: list[str] = []
    return PostingRequest(root.namespace, _read_table("Bulk", children[0], REQUEST, ignored), ignored)


def write_confirmation(
    version: str,
    outcomes: Sequence[Outcome],
    reference_id: str | None,
    now: datetime,
    system: str,
    language: str,
    interface: str | None,
) -> bytes:
    """``interface`` is the name of the confirming interface, None for releases that do not tell it."""
    severity = max((each.severity for each in outcomes), default=ERROR)
    content = (
        _header(reference_id, now, system)
        + ("" if interface is None else text_element("ConfirmationInterfaceOrignName", interface))
        + "".join(_confirmation(outcome, now, system, language) for outcome in outcomes)
        + element("Log", text_element("MaximumLogItemSeverityCode", severity))
    )
    return _envelope(version, element(f"n0:{CONFIRMATION}", content, {"xmlns:n0": NAMESPACE}))


def write_fault(version: str, text: str) -> bytes:
    language = {"xml:lang": "en"}
    if version == SOAP_12:
        content = element("env:Code", text_element("env:Value", "env:Sender"))
        content += element("env:Reason", text_element("env:Text", text, language))
    else:
        content = text_element("faultcode", "env:Client") + text_element("faultstring", text, language)
    return _envelope(version, element("env:Fault", content))


def _envelope(version: str, content: str) -> bytes:
    inner = element("env:Header") + element("env:Body", content)
    return ('<?xml version="1.0" encoding="utf-8"?>' + element("env:Envelope", inner, {"xmlns:env": version})).encode()


def _confirmation(outcome: Outcome, now: datetime, system: str, language: str) -> str:
    entry = "".join(
        text_element(name, text)
        for name, text in (
            ("AccountingDocument", outcome.document),
            ("CompanyCode", outcome.company),
            ("FiscalYear", outcome.year),
        )
    )
    log = text_element("MaximumLogItemSeverityCode", outcome.severity) + "".join(
        element(
            "Item",
            text_element("TypeID", message.type_id)
            + text_element("SeverityCode", message.severity)
            + text_element("Note", message.text(language)),
        )
        for message in outcome.messages
    )
    return element(
        "JournalEntryCreateConfirmation",
        _header(outcome.message_id, now, system)
        + element("JournalEntryCreateConfirmation", entry)
        + element("Log", log),
    )


def _header(reference_id: str | None, now: datetime, system: str) -> str:
    content = "" if reference_id is None else text_element("ReferenceID", reference_id)
    content += text_element("CreationDateTime", now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return element("MessageHeader", content + text_element("SenderBusinessSystemID", system))


def _read_table(table: str, node: Node, path: str, ignored: list[str]) -> Element:
    """Elements in the order of the table; what is unknown, misplaced or qualified is passed over."""
    sequence, reached, seen = parts(table), 0, Element()
    known = {part.name: position for position, part in enumerate(sequence)}
    for child in node.children:
        position = None if child.namespace else known.get(child.name)
        if position is None or position < reached or (child.name in seen and not sequence[position].repeats):
            ignored.append(f"{path}/{child.name}")
            continue
        reached = position
        value = _read_part(sequence[position], child, f"{path}/{child.name}", ignored)
        if sequence[position].repeats:
            seen.setdefault(child.name, []).append(value)
        else:
            seen[child.name] = value
    if table in STRUCTURES and (missing := [part.name for part in sequence if part.required and part.name not in seen]):
        raise SoapFault(f"Transformation error: system expected the element '{missing[0]}' in {path}")
    return seen


def _read_part(part: Part, node: Node, path: str, ignored: list[str]) -> Any:
    if part.is_table:
        return _read_table(part.type, node, path, ignored)
    try:
        return read_value(part.type, node.text, node.attributes)
    except ValueError as error:
        raise SoapFault(f"Transformation error: conversion of {path}: {error}") from error
