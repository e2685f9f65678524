"""Journal entries: what is posted, what is refused and with which words, what is a fault."""

from __future__ import annotations

import pytest
import requests

from .client import CUBE, SOAP_12, Sap, debtor, entry, envelope, gl, sale, tax


def refused(sap: Sap, body: str, *codes: str) -> list[str]:
    """The notes; asserts that the entry was refused for exactly these reasons and nothing was posted."""
    (told,) = sap.post(body)
    assert told.codes[0] == "609(RW)"
    assert told.codes[1:] == list(codes), told.notes
    assert (told.severity, told.document, told.year) == ("3", "0000000000", "0000")
    assert sap.state("journal_entries") == []
    return told.notes[1:]


def test_a_sale_is_posted_and_confirmed(sap: Sap) -> None:
    (told,) = sap.post(sale(DocumentReferenceID="s1-o10250"))
    assert told.posted
    assert (told.document, told.year, told.severity, told.codes) == ("1800000000", "2026", "1", ["605(RW)"])
    assert told.reference_id == "M-1-1"
    (stored,) = sap.state("journal_entries")
    assert stored["document_reference_id"] == "S1-O10250"
    assert [(line["kind"], line["account"], line["amount"]) for line in stored["lines"]] == [
        ("gl", "41000000", "-100.00"),
        ("debtor", "12100000", "108.25"),
        ("tax", "", "-8.25"),
    ]


def test_soap_12_is_answered_in_soap_12(sap: Sap) -> None:
    answer = sap.soap(envelope(sale(), version=SOAP_12), version=SOAP_12)
    assert answer.headers["Content-Type"].startswith("application/soap+xml")
    assert SOAP_12 in answer.text
    assert "605(RW)" in answer.text


def test_the_same_request_twice_makes_two_documents(sap: Sap) -> None:
    numbers = [sap.post(sale())[0].document for _ in range(2)]
    assert numbers == ["1800000000", "1800000001"]


def test_the_duplicate_check_can_be_switched_on(sap: Sap) -> None:
    sap.settings(duplicate_check=True)
    assert sap.post(sale())[0].posted
    assert sap.post(sale())[0].codes[1:] == ["117(F5)"]
    assert len(sap.state("journal_entries")) == 1


def test_numbers_run_by_company_year_and_range(sap: Sap) -> None:
    plain = gl("41000000", "-1.00") + gl("11310000", "1.00")
    told = sap.post(
        entry(plain, AccountingDocumentType="SA"),
        entry(plain, AccountingDocumentType="SA", CompanyCode="1010"),
        entry(plain, AccountingDocumentType="SA", PostingDate="2027-01-01"),
        entry(plain, AccountingDocumentType="DZ"),
        entry(plain, AccountingDocumentType="SA"),
    )
    assert [(each.document, each.year) for each in told] == [
        ("0100000000", "2026"),
        ("0100000000", "2026"),
        ("0100000000", "2027"),
        ("1400000000", "2026"),
        ("0100000001", "2026"),
    ]


def test_entries_of_one_request_are_judged_each_on_its_own(sap: Sap) -> None:
    told = sap.post(sale(), sale(CompanyCode="9999"), sale())
    assert [each.posted for each in told] == [True, False, True]
    assert [each.reference_id for each in told] == ["M-1-1", "M-1-2", "M-1-3"]
    assert len(sap.state("journal_entries")) == 2


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (gl("41009999", "-1.00") + gl("11310000", "1.00"), "507(F5)"),
        (gl("12100000", "-1.00") + gl("11310000", "1.00"), "354(F5)"),
        (gl("41000000", "-1.00") + debtor("999", "1.00"), "102(F5)"),
        (gl("41000000", "-1.00") + gl("11310000", "2.00"), "702(F5)"),
        (gl("41000000", "-1.00", code="S") + gl("11310000", "1.00"), "702(F5)"),
        (gl("41000000", "-1.00", tax="O1") + gl("11310000", "1.00"), "805(FF)"),
        (gl("41000000", "-1.00", tax="ZZ") + gl("11310000", "1.00") + tax("ZZ", "0", "-1.00"), "753(FF)"),
        (gl("41000000", "-1.001") + gl("11310000", "1.001"), "286(F5)"),
        (gl("41000000", "-1.5", currency="JPY") + gl("11310000", "1.5", currency="JPY"), "286(F5)"),
        ("", "727(F5)"),
        (
            gl("41000000", "-1.00", inner="<AccountAssignment><ProfitCenter>NOPE</ProfitCenter></AccountAssignment>")
            + gl("11310000", "1.00"),
            "026(KM)",
        ),
        (
            gl("41000000", "-1.00", inner="<AccountAssignment><CostCenter>NOPE</CostCenter></AccountAssignment>")
            + gl("11310000", "1.00"),
            "235(KI)",
        ),
    ],
)
def test_refusals_name_their_cause(sap: Sap, lines: str, code: str) -> None:
    (told,) = sap.post(entry(lines))
    assert told.codes[0] == "609(RW)"
    assert code in told.codes[1:]
    assert not told.posted
    assert sap.state("journal_entries") == []


def test_every_cause_is_named(sap: Sap) -> None:
    refused(sap, entry(gl("41009999", "-1.00") + debtor("999", "2.00")), "507(F5)", "102(F5)", "702(F5)")


def test_kwd_has_three_decimals_and_jpy_none(sap: Sap) -> None:
    kwd = gl("41000000", "-1.234", currency="KWD") + gl("11310000", "1.234", currency="KWD")
    jpy = gl("41000000", "-1500", currency="JPY") + gl("11310000", "1500", currency="JPY")
    assert all(told.posted for told in sap.post(entry(kwd), entry(jpy)))
    for stored in sap.state("journal_entries"):
        assert sum(round(float(line["company_amount"]) * 100) for line in stored["lines"]) == 0


def test_balance_is_judged_per_currency(sap: Sap) -> None:
    lines = gl("41000000", "-1.00") + gl("11310000", "1.00", currency="EUR")
    refused(sap, entry(lines), "702(F5)", "702(F5)")


@pytest.mark.parametrize(("day", "period"), [("2026-02-01", "002"), ("2026-03-31", "003")])
def test_only_open_periods_take_postings(sap: Sap, day: str, period: str) -> None:
    sap.control("POST", "/seed", {"open_from": "2026-02-02", "open_to": "2026-03-30"})
    notes = refused(sap, sale(PostingDate=day), "201(F5)")
    assert notes == [f"Posting period {period} 2026 is not open"]
    assert sap.post(sale(PostingDate="2026-02-02"))[0].posted


def test_tax_base_is_the_sum_of_the_lines_with_the_code(sap: Sap) -> None:
    lines = gl("41000000", "-100.00", tax="O1") + gl("44000000", "10.00", tax="O1") + debtor("17100001", "97.20")
    refused(sap, entry(lines + tax("O1", "-7.20", "-100.00")), "806(FF)")
    assert sap.post(entry(lines + tax("O1", "-7.20", "-90.00")))[0].posted


def test_a_code_whose_lines_cancel_out_needs_a_zero_base(sap: Sap) -> None:
    lines = gl("41000000", "-10.00", tax="O0") + gl("44000000", "10.00", tax="O0")
    refused(sap, entry(lines), "805(FF)")
    assert sap.post(entry(lines + tax("O0", "0.00", "0.00")))[0].posted


def test_jurisdictions_tax_the_lines_that_name_them(sap: Sap) -> None:
    def line(value: str, place: str) -> str:
        detail = f"<Tax><TaxCode>O1</TaxCode><TaxJurisdiction>{place}</TaxJurisdiction></Tax>"
        return gl("41000000", value, inner=detail)

    def level(value: str, base: str, place: str) -> str:
        kind = "<TaxItemClassification>MWS</TaxItemClassification>"
        return tax("O1", value, base).replace(kind, f"{kind}<TaxJurisdiction>{place}</TaxJurisdiction>")

    lines = line("-100.00", "NYALB") + line("-50.00", "CALAX") + debtor("17100001", "162.00")
    assert sap.post(entry(lines + level("-8.00", "-100.00", "NYALB") + level("-4.00", "-50.00", "CALAX")))[0].posted
    (told,) = sap.post(entry(lines + level("-8.00", "-150.00", "NYALB") + level("-4.00", "-50.00", "CALAX")))
    assert told.codes[1:] == ["806(FF)"]
    plain = gl("41000000", "-100.00", tax="O1") + debtor("17100001", "108.00")
    both_levels = level("-6.00", "-100.00", "NY") + level("-2.00", "-100.00", "NYALB")
    assert sap.post(entry(plain + both_levels))[0].posted


def test_tax_item_says_what_it_is_and_agrees_in_sign(sap: Sap) -> None:
    lines = gl("41000000", "-100.00", tax="O1") + debtor("17100001", "108.25")
    refused(sap, entry(lines + tax("O1", "-8.25", "-100.00", classification="")), "807(FF)")
    turned = gl("41000000", "-100.00", tax="O1") + debtor("17100001", "91.75")
    refused(sap, entry(turned + tax("O1", "8.25", "-100.00")), "808(FF)")


def test_tax_amount_is_checked_only_when_asked(sap: Sap) -> None:
    lines = gl("41000000", "-100.00", tax="A1") + debtor("17100001", "110.00") + tax("A1", "-10.00", "-100.00")
    refused(sap, entry(lines, DoTaxAmountCheck="true"), "747(FF)")
    assert sap.post(entry(lines))[0].posted


def test_unknown_elements_are_ignored_in_silence_and_missed_later(sap: Sap) -> None:
    sap.control("POST", "/seed", {"gl_accounts": [{"number": "41000001", "requires_profit_center": True}]})
    misplaced = gl("41000001", "-1.00", inner="<ProfitCenter>YB110</ProfitCenter>") + gl("11310000", "1.00")
    notes = refused(sap, entry(misplaced), "808(F5)")
    assert "Profit Center" in notes[0]
    placed = gl("41000001", "-1.00", inner="<AccountAssignment><ProfitCenter>YB110</ProfitCenter></AccountAssignment>")
    assert sap.post(entry(placed + gl("11310000", "1.00") + "<Colour>red</Colour>"))[0].posted
    assert sap.state("journal_entries")[0]["ignored_elements"] == [
        "JournalEntryBulkCreateRequest/JournalEntryCreateRequest/JournalEntry/Colour"
    ]


def test_elements_out_of_sequence_are_not_seen(sap: Sap) -> None:
    body = sale().replace("<CompanyCode>1710</CompanyCode>", "") + "<CompanyCode>1710</CompanyCode>"
    notes = refused(sap, body, "809(F5)")
    assert notes == ["Field CompanyCode is a required field"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("CreatedByUser", "THIRTEENCHARS"),
        ("DocumentReferenceID", "SEVENTEEN-LETTERS"),
        ("DocumentHeaderText", "x" * 26),
        ("PostingDate", "31.01.2026"),
        ("PostingDate", "2026-02-30"),
        ("DoTaxAmountCheck", "yes"),
        ("CompanyCode", "17100"),
    ],
)
def test_values_outside_their_type_are_faults(sap: Sap, field: str, value: str) -> None:
    answer = sap.soap(envelope(sale(**{field: value})))
    assert answer.status_code == 500
    assert f"conversion of JournalEntryBulkCreateRequest/JournalEntryCreateRequest/JournalEntry/{field}" in answer.text
    assert sap.state("journal_entries") == []


@pytest.mark.parametrize(
    "broken",
    [
        "<not xml",
        "<a/>",
        envelope(sale()).replace("<CreationDateTime>2026-01-31T10:00:00.000Z", "<CreationDateTime>2026-01-31 10:00"),
        envelope(sale()).replace("<CreationDateTime>2026-01-31T10:00:00.000Z</CreationDateTime>", ""),
        envelope(sale()).replace(' currencyCode="USD"', ""),
        envelope(sale()).replace("-100.00", "1,00"),
        envelope(sale()).replace("s:JournalEntryBulkCreateRequest", "s:SomethingElse"),
    ],
)
def test_malformed_messages_are_faults_and_post_nothing(sap: Sap, broken: str) -> None:
    answer = sap.soap(broken)
    assert answer.status_code == 500
    assert "faultstring" in answer.text
    assert sap.state("journal_entries") == []


def test_an_entity_in_xml_is_not_expanded(sap: Sap, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("xxe") / "secret"
    secret.write_text("stolen")
    doctype = f'<!DOCTYPE x [<!ENTITY leak SYSTEM "file://{secret}">]>'
    answer = sap.soap(doctype + envelope(sale(DocumentHeaderText="PLACEHOLDER")).replace("PLACEHOLDER", "&leak;"))
    assert "stolen" not in answer.text
    assert "stolen" not in str(sap.state("journal_entries"))


def test_messages_are_german_unless_a_language_is_asked_for(sap: Sap) -> None:
    body = envelope(entry(gl("41009999", "-1.00") + gl("11310000", "1.00")))
    url = sap.told.base_url + "/sap/bc/srt/scs_ext/sap/journalentrycreaterequestconfi"
    german = requests.post(url, data=body, headers={"Content-Type": "text/xml"}, auth=sap.auth, timeout=5).content
    assert "nicht definiert" in german.decode()
    assert "is not defined" in sap.soap(body).text


def reversal_of(number: str, **fields: str) -> str:
    wanted = {"ReversalReason": "01", "ReversalReferenceDocument": f"{number}17102026", "DocumentReferenceID": "S1-V1"}
    return entry("", **{**wanted, **fields})


def test_reversal_turns_the_lines_and_marks_both(sap: Sap) -> None:
    (sold,) = sap.post(sale())
    (told,) = sap.post(reversal_of(str(sold.document)))
    assert told.posted
    original, reversal = sap.state("journal_entries")
    assert (original["is_reversed"], original["reversed_by"]) == (True, "1800000001")
    assert (reversal["is_reversal"], reversal["reverses"]) == (True, "1800000000")
    assert [line["amount"] for line in reversal["lines"]] == ["100.00", "-108.25", "8.25"]
    rows = sap.results(
        CUBE, filter="AccountingDocument eq '1800000000'", select="IsReversed,ReverseDocument,IsReversal"
    )
    assert {(row["IsReversed"], row["ReverseDocument"], row["IsReversal"]) for row in rows} == {
        (True, "1800000001", False)
    }


def test_reversing_twice_is_refused(sap: Sap) -> None:
    sap.post(sale())
    sap.post(reversal_of("1800000000"))
    (again,) = sap.post(reversal_of("1800000000"))
    assert again.codes[1:] == ["362(F5)"]
    assert again.notes[1] == "Document 1800000000 has already been reversed with 1800000001"
    assert len(sap.state("journal_entries")) == 2


def test_reversals_that_cannot_be(sap: Sap) -> None:
    sap.post(sale())
    sap.control("POST", "/documents/1710/2026/1800000000/clear")
    assert sap.post(reversal_of("1800000000"))[0].codes[1:] == ["363(F5)"]
    sap.control("POST", "/documents/1710/2026/1800000000/reset_clearing")
    assert sap.post(reversal_of("1899999999"))[0].codes[1:] == ["361(F5)"]
    assert sap.post(reversal_of("180000000"))[0].codes[1:] == ["361(F5)"]
    assert sap.post(sale(ReversalReason="01", ReversalReferenceDocument="180000000017102026"))[0].codes[1:] == [
        "364(F5)"
    ]
    sap.control("POST", "/seed", {"open_from": "2026-06-01"})
    assert sap.post(reversal_of("1800000000"))[0].codes[1:] == ["201(F5)"]
    assert sap.post(reversal_of("1800000000", PostingDate="2026-06-02"))[0].posted


def test_master_data_can_be_seeded(sap: Sap) -> None:
    sap.control(
        "POST",
        "/seed",
        {
            "gl_accounts": ["410000", {"number": "113100", "name": "Card clearing", "kind": "X"}],
            "customers": ["100177", {"number": "199999", "one_time": True}],
            "tax_codes": ["V1"],
            "profit_centers": ["PC-BIKE"],
        },
    )
    assignment = "<AccountAssignment><ProfitCenter>PC-BIKE</ProfitCenter></AccountAssignment>"
    lines = (
        gl("410000", "-10.00", tax="V1", inner=assignment) + debtor("100177", "12.00") + tax("V1", "-2.00", "-10.00")
    )
    details = "<OneTimeCustomerDetails><Name>Ann Lee</Name><CityName>Albany</CityName></OneTimeCustomerDetails>"
    guest = gl("410000", "-10.00") + debtor("199999", "10.00", inner=details)
    assert all(told.posted for told in sap.post(entry(lines), entry(guest)))
    assert sap.state("journal_entries")[1]["lines"][1]["one_time"] == {"Name": "Ann Lee", "CityName": "Albany"}
    known = gl("410000", "-10.00") + debtor("100177", "10.00", inner=details)
    assert sap.post(entry(known))[0].codes[1:] == ["146(F5)"]


def test_what_a_person_does_to_documents(sap: Sap) -> None:
    sap.post(sale())
    sap.control("POST", "/documents/1710/2026/1800000000/delete")
    assert sap.state("journal_entries") == []
    assert sap.results(CUBE, filter="DocumentReferenceID eq 'S1-O1'") == []


def test_faults_of_the_ledger(sap: Sap) -> None:
    sap.fault("closed_period")
    assert sap.post(sale())[0].codes[1:] == ["201(F5)"]
    sap.fault("locked")
    assert "locked by user" in sap.post(sale())[0].notes[1]
    sap.control("POST", "/exhaust", {"company": "1710", "year": "2026", "range": "18"})
    assert sap.post(sale())[0].codes[1:] == ["751(NR)"]
    sap.fault("short_dump")
    assert sap.soap(envelope(sale())).status_code == 500
    assert sap.state("journal_entries") == []


def test_odd_confirmations(sap: Sap) -> None:
    sap.fault("warnings_only")
    (warned,) = sap.post(sale())
    assert (warned.severity, warned.posted, len(warned.codes)) == ("2", True, 2)
    sap.fault("duplicate_log")
    assert sap.post(sale())[0].codes == ["605(RW)", "605(RW)"]
    sap.fault("unpadded_number")
    plain = entry(gl("41000000", "-1.00") + gl("11310000", "1.00"), AccountingDocumentType="SA")
    assert sap.post(plain)[0].document == "100000000"
    sap.fault("no_reference_id")
    assert sap.post(sale())[0].reference_id is None
    sap.fault("refused_document", form="blank")
    assert sap.post(sale(CompanyCode="9999"))[0].document == " "
    sap.fault("refused_document", form="empty")
    assert sap.post(sale(CompanyCode="9999"))[0].document is None


def test_the_document_is_there_when_its_answer_was_lost(sap: Sap) -> None:
    sap.fault("reset_after_commit")
    with pytest.raises(requests.exceptions.ConnectionError):
        sap.soap(envelope(sale()))
    assert len(sap.results(CUBE, filter="DocumentReferenceID eq 'S1-O1'")) == 3
    (sent,) = sap.state("requests", "?path=journalentry")
    assert sent["status"] is None
