"""Odd confirmations of the journal entry service, and what each means."""

import pytest

from ml_connector.connectors.base import Posted, PostResult, Refused, Unknown
from ml_connector.connectors.s4hana.answers import confirmations, not_executed, results
from ml_connector.connectors.soap import Fault, parse_xml


def entry(number: str | None, severity: str, *log: tuple[str, str, str], reference: str = "A") -> str:
    items = "".join(
        f"<Item><TypeID>{type_id}</TypeID><SeverityCode>{level}</SeverityCode><Note>{note}</Note></Item>"
        for type_id, level, note in log
    )
    header = f"<ReferenceID>{reference}</ReferenceID>" if reference else ""
    inner = f"<AccountingDocument>{number}</AccountingDocument>" if number is not None else ""
    stated = f"<MaximumLogItemSeverityCode>{severity}</MaximumLogItemSeverityCode>" if severity else ""
    return (
        f"<JournalEntryCreateConfirmation><MessageHeader>{header}</MessageHeader><JournalEntryCreateConfirmation>{inner}"
        f"<CompanyCode>1710</CompanyCode><FiscalYear>2026</FiscalYear></JournalEntryCreateConfirmation>"
        f"<Log>{stated}{items}</Log></JournalEntryCreateConfirmation>"
    )


def judged(*entries: str, ids: tuple[str, ...] = ("A",)) -> list[PostResult]:
    message = (
        '<n0:JournalEntryBulkCreateConfirmation xmlns:n0="http://sap.com/xi/SAPSCORE/SFIN">'
        f"{''.join(entries)}<Log/></n0:JournalEntryBulkCreateConfirmation>"
    )
    return results(confirmations(parse_xml(message.encode())), ids)


GENERIC = ("609(RW)", "3", "Error in document: BKPFF $ X")
POSTED = Posted("0100000008/1710/2026")


def test_success_with_and_without_zeros():
    assert judged(entry("0100000008", "1")) == judged(entry("100000008", "1")) == [POSTED]


def test_warnings_are_a_success_and_kept_once():
    warning = ("101(F5)", "2", "Check the tax")
    (result,) = judged(entry("0100000008", "2", warning, warning))
    assert result == Posted("0100000008/1710/2026", ("Check the tax [F5/101]",))


@pytest.mark.parametrize("number", ["", " ", "0000000000", "0", None])
def test_refusal_in_every_form(number: str | None):
    cause = ("102(F5)", "3", "Customer 1 is not defined in company code 1710")
    (result,) = judged(entry(number, "3", GENERIC, cause, cause))
    assert result == Refused("Customer 1 is not defined in company code 1710 [F5/102]", "F5/102")


def test_generic_line_alone_is_shown():
    (result,) = judged(entry("", "3", GENERIC))
    assert isinstance(result, Refused)
    assert "Error in document" in result.message


def test_closed_period_and_locks():
    (closed,) = judged(entry("", "3", GENERIC, ("201(F5)", "3", "Period 003/2026 is not open for account type D")))
    assert isinstance(closed, Refused)
    assert (closed.hold, closed.transient) == ("closed_period", False)
    (lock,) = judged(entry("", "3", GENERIC, ("042(V1)", "3", "Account 1 is currently being processed by user X")))
    assert isinstance(lock, Refused)
    assert lock.transient


@pytest.mark.parametrize(
    "contradiction",
    [
        entry("0100000008", "3"),
        entry("0100000008", ""),
        entry("0100000008", "1", ("102(F5)", "3", "but no")),
        entry("", "1"),
        entry("", ""),
    ],
)
def test_contradictions_are_unknown(contradiction: str):
    (result,) = judged(contradiction)
    assert isinstance(result, Unknown)


def test_results_are_matched_by_id_not_by_order():
    first, second = judged(entry("2", "1", reference="B"), entry("1", "1", reference="A"), ids=("A", "B"))
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    assert (first.number[:10], second.number[:10]) == ("0000000001", "0000000002")


def test_missing_ids_are_matched_by_order_when_the_counts_agree():
    one, two = entry("1", "1", reference=""), entry("2", "1", reference="")
    assert all(isinstance(result, Posted) for result in judged(one, two, ids=("A", "B")))
    assert all(isinstance(result, Unknown) for result in judged(one, two, ids=("A", "B", "C")))
    assert all(isinstance(result, Unknown) for result in judged(ids=("A", "B")))


def test_an_entry_that_is_mentioned_twice_or_not_at_all_is_unknown():
    twice, missing = judged(entry("1", "1"), entry("2", "1"), ids=("A", "B"))
    assert isinstance(twice, Unknown)
    assert "0000000001" in twice.message
    assert isinstance(missing, Unknown)


def test_faults():
    assert not_executed(Fault("Client", "Error while parsing an XML stream"))
    assert not_executed(Fault("Server", "CX_ST_DESERIALIZATION_ERROR; conversion of '1,5'"))
    assert not not_executed(Fault("Server", "Web service processing error; more details in the error log"))


def test_another_message_is_no_confirmation():
    with pytest.raises(ValueError, match="Something"):
        confirmations(parse_xml(b"<Something/>"))
