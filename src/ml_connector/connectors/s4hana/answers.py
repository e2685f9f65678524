"""What the journal entry service answers, entry by entry, including its odd cases.

The service answers 200 for success and for a business refusal alike; a refusal's first message is generic, the
causes follow. Source: `docs/protocol/s4hana.md`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ml_connector.connectors.base import Posted, PostResult, Refused, Unknown
from ml_connector.connectors.s4hana.wire import padded
from ml_connector.connectors.soap import Fault, XmlElement, child, children, local, text

CONFIRMATION = "JournalEntryBulkCreateConfirmation"
ERROR_SEVERITY = 3

_GENERIC = frozenset({"RW/609"})  # "Error in document: BKPFF $ ..."
_CLOSED_PERIOD = frozenset({"F5/201"})
_CLOSED_WORDS = re.compile(r"period \S+ is not open|posting period .* (?:is )?(?:not open|closed)", re.IGNORECASE)
_LOCK = re.compile(
    r"locked by|is locked|currently being processed|being processed by|number range .*(?:locked|in use)|"
    r"gesperrt durch|wird (?:gerade )?bearbeitet",
    re.IGNORECASE,
)
_REVERSED_ALREADY = re.compile(r"already (?:been )?reversed|wurde bereits storniert|bereits storniert", re.IGNORECASE)
_NOT_EXECUTED = re.compile(
    r"\bxml\b|conversion|deserial|not well-formed|parse|schema|transformation error|"
    r"simple transformation|CX_ST_|CX_SXML|invalid value|"
    r"mandatory (?:element|field)|element .* (?:expected|missing)",
    re.IGNORECASE,
)

ALREADY_REVERSED = "already_reversed"


@dataclass(frozen=True, slots=True)
class LogItem:
    code: str  # CLASS/NNN
    severity: int
    note: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One entry's confirmation. `number` is empty when no document was created."""

    reference_id: str
    number: str
    severity: int | None
    log: tuple[LogItem, ...]


def confirmations(message: XmlElement) -> list[Confirmation]:
    """Raises `ValueError` when `message` is not the bulk confirmation."""
    if local(message) != CONFIRMATION:
        raise ValueError(f"the answer is a {local(message)}, not a {CONFIRMATION}")
    return [_confirmation(element) for element in children(message, "JournalEntryCreateConfirmation")]


def _confirmation(element: XmlElement) -> Confirmation:
    document = child(element, "JournalEntryCreateConfirmation")
    log = child(element, "Log")
    items = tuple(_log_item(item) for item in children(log, "Item")) if log is not None else ()
    stated = _severity(text(log, "MaximumLogItemSeverityCode"))
    severities = [severity for severity in (stated, *(item.severity for item in items)) if severity is not None]
    return Confirmation(
        reference_id=text(element, "MessageHeader", "ReferenceID"),
        number=_number(document),
        severity=max(severities) if severities else None,
        log=items,
    )


def _number(document: XmlElement | None) -> str:
    """`0100000008/1710/2026`, or empty: blank, zeros and a missing element all mean "no document"."""
    number = text(document, "AccountingDocument")
    if not number.strip("0 "):
        return ""
    return f"{padded(number)}/{text(document, 'CompanyCode')}/{text(document, 'FiscalYear')}"


def _severity(code: str) -> int | None:
    return int(code) if code.isdigit() else None


def _log_item(item: XmlElement) -> LogItem:
    """`605(RW)` becomes `RW/605`."""
    type_id = text(item, "TypeID")
    match = re.fullmatch(r"(\d+)\((.+)\)", type_id)
    code = f"{match.group(2)}/{match.group(1)}" if match else type_id
    return LogItem(code, _severity(text(item, "SeverityCode")) or 0, text(item, "Note"))


def results(found: Sequence[Confirmation], message_ids: Sequence[str]) -> list[PostResult]:
    """One result per message ID: matched by the echoed ID, by order where none is echoed and the counts agree."""
    if found and not any(confirmation.reference_id for confirmation in found) and len(found) == len(message_ids):
        return [result(confirmation) for confirmation in found]
    by_id: dict[str, list[Confirmation]] = {}
    for confirmation in found:
        by_id.setdefault(confirmation.reference_id, []).append(confirmation)
    return [_matched(by_id.get(message_id, [])) for message_id in message_ids]


def _matched(found: Sequence[Confirmation]) -> PostResult:
    if len(found) == 1:
        return result(found[0])
    if not found:
        return Unknown("the answer does not mention this document")
    numbers = ", ".join(confirmation.number or "none" for confirmation in found)
    return Unknown(f"the answer mentions this document {len(found)} times (numbers: {numbers})")


def result(confirmation: Confirmation) -> PostResult:
    """Decided by severity and number together; anything contradictory is unknown."""
    severity = confirmation.severity
    if confirmation.number and severity is not None and severity < ERROR_SEVERITY:
        warnings = tuple(dict.fromkeys(f"{item.note} [{item.code}]" for item in confirmation.log if item.severity == 2))
        return Posted(confirmation.number, warnings)
    if not confirmation.number and severity is not None and severity >= ERROR_SEVERITY:
        return refusal(confirmation.log)
    number = confirmation.number or "no number"
    return Unknown(f"contradictory answer: {number} with severity {severity if severity is not None else 'missing'}")


def refusal(log: Sequence[LogItem]) -> Refused:
    """SAP's own causes, once each, without the generic frame."""
    causes = [item for item in log if item.code not in _GENERIC and item.severity >= ERROR_SEVERITY]
    causes = list(dict.fromkeys(causes or log))
    message = "; ".join(f"{item.note} [{item.code}]" if item.code else item.note for item in causes)
    code = causes[0].code if causes else ""
    closed = any(item.code in _CLOSED_PERIOD for item in causes) or bool(_CLOSED_WORDS.search(message))
    hold = "closed_period" if closed else ALREADY_REVERSED if _REVERSED_ALREADY.search(message) else ""
    return Refused(
        message or "SAP refused the document without a message",
        code,
        transient=bool(_LOCK.search(message)) and not hold,
        hold=hold,
    )


def not_executed(fault: Fault) -> bool:
    """Does the fault say that the request could not even be read? Then nothing was posted."""
    return bool(_NOT_EXECUTED.search(fault.message))
