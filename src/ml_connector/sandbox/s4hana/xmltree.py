# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
"""XML in and out as plain values; the only place that knows the parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lxml import etree


class NotXml(ValueError):
    """The text is not well-formed XML."""


@dataclass(frozen=True)
class Node:
    """``name`` is without namespace, ``namespace`` is empty for an unqualified element."""

    name: str
    namespace: str
    text: str
    attributes: Mapping[str, str]
    children: Sequence[Node]


def parse(body: bytes) -> Node:
    """No entities, no network. Raises ``NotXml``."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        return _node(etree.fromstring(body, parser))
    except etree.XMLSyntaxError as error:
        raise NotXml(str(error)) from error


def element(name: str, content: str = "", attributes: Mapping[str, str] | None = None) -> str:
    """``content`` is XML already."""
    written = "".join(f" {key}={quoteattr(value)}" for key, value in (attributes or {}).items())
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text_element(name: str, text: str, attributes: Mapping[str, str] | None = None) -> str:
    return element(name, escape(text), attributes)


def _node(source: Any) -> Node:
    name = etree.QName(source)
    return Node(
        name.localname,
        name.namespace or "",
        source.text or "",
        {str(key): str(value) for key, value in source.attrib.items()},
        [_node(child) for child in source if isinstance(child.tag, str)],
    )
