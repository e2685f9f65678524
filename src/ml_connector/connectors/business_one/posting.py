"""Sending a document, or its cancellation, and what the answer says of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ml_connector.connectors.base import (
    FreePermit,
    Lookup,
    Outgoing,
    Permit,
    Posted,
    PostResult,
    Refused,
    StoredDocument,
    Unknown,
)
from ml_connector.connectors.business_one.answers import NO_SUCH_KEY, failure_of
from ml_connector.connectors.business_one.batch import Operation, Part
from ml_connector.connectors.business_one.changing import patch_order
from ml_connector.connectors.business_one.checks import facts_of, invoice_entry
from ml_connector.connectors.business_one.client import B1Client
from ml_connector.connectors.business_one.master_data import MasterData
from ml_connector.connectors.business_one.stored import differences
from ml_connector.connectors.business_one.tables import BY_SET, CLAIMS, TARGETS, Target, mark_of, marked
from ml_connector.connectors.business_one.wire import FieldError, body_of, entry_of
from ml_connector.connectors.errors import Conflict, ConnectorError, Rejected, Transient, Uncertain
from ml_connector.connectors.odata_values import Row, text_of
from ml_connector.domain.documents import Document, Kind

Find = Callable[[Sequence[Lookup]], Awaitable[Mapping[str, Sequence[StoredDocument]]]]


async def post_document(client: B1Client, data: MasterData, find: Find, item: Outgoing, permit: Permit) -> PostResult:
    document = item.document
    if document.updates:
        return await change(client, data, find, item, permit)
    try:
        facts = await facts_of(data, document, await _named_invoice(client, item))
        body = body_of(item, client.settings, facts)
    except FieldError as error:
        raise Rejected(str(error), code="field") from error
    target = TARGETS[document.kind]
    part = await _send(client, Operation("POST", target.set, body), document, permit)
    if part.status >= 400:
        return await _refused(find, document, part)
    try:
        entry, shown = text_of(part.row, "DocEntry"), text_of(part.row, "DocNum")
    except ValueError as error:
        return Unknown(f"Business One answered {part.status}, unreadable: {error}")
    if part.status != 201 or not entry.isdigit():
        return Unknown(f"Business One answered {part.status} without the document's key")
    return Posted(f"{target.set}/{entry}", shown=shown)


async def change(client: B1Client, data: MasterData, find: Find, item: Outgoing, permit: Permit) -> PostResult:
    """An open sales order gets new content and with it the next name. What a closed one no longer lets change is
    ignored without a word, so that the answer is read back. No claim goes with it: made twice it is the same."""
    document = item.document
    answer = await patch_order(client, data, item, permit)
    if isinstance(answer, Refused):
        return answer
    if answer.status >= 400:
        return await _refused(find, document, answer)
    if answer.status not in (200, 204):
        return Unknown(f"Business One answered {answer.status} to a change")
    try:
        found = (await find([Lookup(document)])).get(document.reference, ())
    except ConnectorError as error:
        return Unknown(f"changed, and the look-up behind it failed: {error}")
    if len(found) != 1 or found[0].number != item.number_of(document.updates):
        return Unknown(f"changed, and {len(found)} documents carry {document.reference}")
    if said := differences(document, found[0], client.settings):
        return Unknown(f"{found[0].number} has the new name and not the new content: {'; '.join(said)}")
    return Posted(found[0].number, shown=found[0].shown)


async def _named_invoice(client: B1Client, item: Outgoing) -> int | None:
    """The ERP invoice that a payment of a B2B buyer names by its number."""
    document = item.document
    named = document.applies_to
    if document.kind is not Kind.PAYMENT or not named.isdigit() or named in item.earlier:
        return None
    entry = await invoice_entry(client, named, document.customer)
    if entry is None:
        raise FieldError(f"Business One has no single open invoice {named} of {document.customer}")
    return entry


async def _send(client: B1Client, operation: Operation, document: Document, permit: Permit) -> Part:
    """With its claim in one change set where the connection says so: the database itself then refuses a second one."""
    references = (document.reference,)
    if not client.settings.claims:
        return await client.write(
            operation.method, operation.path, body=operation.body, permit=permit, references=references
        )
    claim = Operation("POST", CLAIMS, {"Code": document.reference, "Name": document.reference})
    parts = await client.change_set([claim, operation], permit=permit, references=references)
    if len(parts) == 1:
        if parts[0].status < 400:
            raise Uncertain("the change set was answered by one part that is no refusal", system="Business One")
        return parts[0]
    return next((part for part in parts if part.status >= 400), parts[-1])


async def _refused(find: Find, document: Document, part: Part) -> PostResult:
    error = part.told
    facts: dict[str, Any] = {"code": "" if error.code is None else str(error.code)}
    if error.code == NO_SUCH_KEY or error.already_there or error.already_paid:
        return await _settled(find, document, part)
    try:
        raise failure_of(error, document.reference, write=True)
    except (Transient, Conflict) as failure:
        return Refused(failure.message, transient=True, **facts)
    except Rejected as failure:
        return Refused(failure.message, hold="closed_period" if error.closed_period else "", **facts)


async def _settled(find: Find, document: Document, part: Part) -> PostResult:
    """Answers behind which the document may stand already: a claim that is taken, an invoice that is paid, and -2028,
    which names a missing master record as well as a draft that an approval procedure has just made.

    The answer is there, so that nothing of this request is still under way: what the look-up does not see does not
    exist.
    """
    words = part.told.words
    facts: dict[str, Any] = {"code": str(part.told.code or "")}
    try:
        found = (await find([Lookup(document)])).get(document.reference, ())
    except ConnectorError as error:
        return Unknown(f"{words}; the look-up failed: {error}")
    if len(found) == 1 and found[0].state == "posted" and part.told.code != NO_SUCH_KEY:
        return Posted(found[0].number, (words,))
    if found:
        return Unknown(f"{words}; {', '.join(f'{each.number} ({each.state})' for each in found)} carries the reference")
    if part.told.code == NO_SUCH_KEY:
        return Refused(
            f"{words}: something that the document names does not exist (item, tax code, distribution rule, branch, "
            "series), or an approval template has caught it; no draft of it was made",
            **facts,
        )
    return Refused(f"{words}; no document carries {document.reference}", **facts)


# ------------------------------------------------------------------ cancelling


async def reverse(client: B1Client, find: Find, item: Outgoing, permit: Permit) -> PostResult:
    """Cancels what the document reverses. It is marked first: our cancellation is told from one made by hand."""
    document = item.document
    number = item.number_of(document.reverses)
    try:
        path = f"{number.partition('/')[0]}({entry_of(number)})"
    except FieldError as error:
        raise Rejected(str(error), code="field") from error
    target: Target = BY_SET[number.partition("/")[0]]
    row = await _present(client, target, path)
    if _cancelled(row) and not mark_of(text_of(row, target.remark)):
        return Refused(f"{number} was cancelled in Business One by somebody else", hold="reversed_in_erp")
    mark = {target.remark: marked(text_of(row, target.remark), document.reference)}
    try:
        answer = await client.write("PATCH", path, body=mark, permit=FreePermit(), references=(document.reference,))
    except Uncertain as error:  # of the mark alone, which is safe to repeat
        raise Transient(f"{number} could not be marked: {error.message}", system="Business One") from error
    if answer.status >= 400:
        raise failure_of(answer.told, f"{number} could not be marked as cancelled by us", write=False)
    part = await _send(client, Operation("POST", f"{path}/Cancel"), document, permit)
    if part.status >= 500 or (part.status >= 400 and part.told.code is None):
        return Unknown(f"{target.set}: {part.told.words}")
    try:
        found = (await find([Lookup(document)])).get(document.reference, ())
    except ConnectorError as error:
        return Unknown(f"Business One answered {part.status}; the look-up failed: {error}")
    if part.status < 400:
        if len(found) == 1:
            return Posted(found[0].number)
        return Unknown(f"Business One answered {part.status}, and {len(found)} cancellations are found")
    if len(found) == 1:
        return Posted(found[0].number, (part.told.words,))
    return await _refused(find, document, part)


async def _present(client: B1Client, target: Target, path: str) -> Row:
    fields = ["DocEntry", "Cancelled", target.remark, *([] if target.payment else ["CancelStatus"])]
    row = await client.entity(path, params={"$select": ",".join(fields)})
    if row is None:
        raise Rejected(f"{path} is not there", system="Business One")
    return row


def _cancelled(row: Row) -> bool:
    return text_of(row, "Cancelled") == "tYES" or text_of(row, "CancelStatus") == "csYes"
