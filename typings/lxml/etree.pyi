"""The part of lxml that is used here; lxml ships no types."""

from collections.abc import Iterator, Mapping
from typing import Any

class DocInfo:
    doctype: str

class _ElementTree:
    docinfo: DocInfo
    def getroot(self) -> _Element: ...

class _Element:
    tag: str
    text: str | None
    tail: str | None
    attrib: Mapping[str, str]
    nsmap: dict[str | None, str]
    prefix: str | None
    sourceline: int | None
    def __iter__(self) -> Iterator[_Element]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> _Element: ...
    def append(self, element: _Element) -> None: ...
    def set(self, key: str, value: str) -> None: ...
    def get(self, key: str, default: str | None = None) -> str | None: ...
    def find(self, path: str, namespaces: Mapping[str, str] | None = None) -> _Element | None: ...
    def findall(self, path: str, namespaces: Mapping[str, str] | None = None) -> list[_Element]: ...
    def findtext(self, path: str, default: str | None = None) -> str | None: ...
    def getparent(self) -> _Element | None: ...
    def getroottree(self) -> _ElementTree: ...
    def iter(self, *tags: str) -> Iterator[_Element]: ...
    def itertext(self, *tags: str) -> Iterator[str]: ...

class QName:
    localname: str
    namespace: str | None
    def __init__(self, text_or_uri_or_element: _Element | str, tag: str | None = None) -> None: ...

class XMLParser:
    def __init__(
        self,
        *,
        resolve_entities: bool = True,
        no_network: bool = True,
        load_dtd: bool = False,
        dtd_validation: bool = False,
        huge_tree: bool = False,
        remove_comments: bool = False,
        remove_pis: bool = False,
        recover: bool = False,
        encoding: str | None = None,
    ) -> None: ...

class LxmlError(Exception): ...

class XMLSyntaxError(LxmlError, SyntaxError):
    msg: str

class XMLSchema:
    error_log: Any
    def __init__(self, etree: _Element | _ElementTree) -> None: ...
    def validate(self, etree: _Element | _ElementTree) -> bool: ...

def Element(_tag: str, attrib: Mapping[str, str] | None = None, nsmap: Mapping[Any, str] | None = None) -> _Element: ...  # noqa: N802
def SubElement(  # noqa: N802
    _parent: _Element,
    _tag: str,
    attrib: Mapping[str, str] | None = None,
    nsmap: Mapping[Any, str] | None = None,
    **_extra: str,
) -> _Element: ...
def fromstring(text: str | bytes, parser: XMLParser | None = None) -> _Element: ...
def tostring(
    element_or_tree: _Element | _ElementTree,
    *,
    encoding: str | None = None,
    xml_declaration: bool | None = None,
    pretty_print: bool = False,
) -> bytes: ...
