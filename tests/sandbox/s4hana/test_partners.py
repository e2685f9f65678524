"""Business partners: atomic deep insert, customers from roles, single-entity updates, batches."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from .client import ODATA, Sap, debtor, entry, gl

ANN: dict[str, Any] = {
    "BusinessPartnerCategory": "1",
    "BusinessPartnerGrouping": "BP02",
    "FirstName": "Ann",
    "LastName": "Lee",
    "SearchTerm1": "s1-c77",
    "BusinessPartnerIDByExtSystem": "s1-c77",
    "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU00"}, {"BusinessPartnerRole": "FLCU01"}],
    "to_BusinessPartnerAddress": [
        {
            "Country": "US",
            "Region": "NY",
            "CityName": "Albany",
            "PostalCode": "12207",
            "StreetName": "State St",
            "Language": "EN",
            "to_EmailAddress": [{"EmailAddress": "ann@example.test"}],
        }
    ],
    "to_Customer": {
        "to_CustomerCompany": [{"CompanyCode": "1710", "ReconciliationAccount": "12100000"}],
        "to_CustomerSalesArea": [{"SalesOrganization": "1710", "DistributionChannel": "10", "Division": "00"}],
    },
    "to_BusinessPartnerTax": [{"BPTaxType": "US1", "BPTaxNumber": "123456789"}],
}


def ann(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**copy.deepcopy(ANN), **changes}.items() if value is not None}


def create(sap: Sap, **changes: Any) -> str:
    answer = sap.write("POST", "A_BusinessPartner", ann(**changes))
    assert answer.status_code == 201, answer.text
    return answer.json()["d"]["BusinessPartner"]


def made_here(sap: Sap) -> list[dict[str, Any]]:
    return [each for each in sap.state("business_partners") if each["CreatedByUser"] == "BCCONNECT"]


def test_deep_insert_makes_partner_customer_and_everything_below(sap: Sap) -> None:
    answer = sap.write("POST", "A_BusinessPartner", ann())
    made = answer.json()["d"]
    assert answer.status_code == 201
    assert answer.headers["location"].endswith(f"A_BusinessPartner('{made['BusinessPartner']}')")
    assert made["Customer"] == made["BusinessPartner"]
    assert made["BusinessPartnerIDByExtSystem"] == "S1-C77"
    assert made["BusinessPartnerFullName"] == "Ann Lee"
    assert made["LastChangeDate"] is None
    email = made["to_BusinessPartnerAddress"]["results"][0]["to_EmailAddress"]["results"][0]
    assert email["EmailAddress"] == "ann@example.test"
    posted = sap.post(entry(gl("41000000", "-1.00") + debtor(made["Customer"], "1.00")))
    assert posted[0].posted


def test_found_by_external_id_in_any_case(sap: Sap) -> None:
    number = create(sap)
    for text in ("S1-C77", "s1-c77"):
        (row,) = sap.results(
            "API_BUSINESS_PARTNER/A_BusinessPartner", filter=f"BusinessPartnerIDByExtSystem eq '{text}'"
        )
        assert row["BusinessPartner"] == number


def test_no_duplicate_check_on_the_external_id(sap: Sap) -> None:
    assert create(sap) != create(sap)


@pytest.mark.parametrize(
    "changes",
    [
        {"BusinessPartnerCategory": "9"},
        {"LastName": ""},
        {"BusinessPartnerGrouping": "NONE"},
        {"BusinessPartnerGrouping": "BP01"},
        {"BusinessPartner": "4711"},
        {"FirstName": "x" * 41},
        {"Colour": "red"},
        {"to_Colour": [{}]},
        {"to_BusinessPartnerRole": [{"BusinessPartnerRole": "NOROLE"}]},
        {"to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU00"}]},
        {"to_BusinessPartnerRole": []},
        {"to_BusinessPartnerTax": [{"BPTaxType": "US1", "BPTaxNumber": "12"}]},
        {"to_BusinessPartnerAddress": [{"Country": "US", "PostalCode": "ABC", "Language": "EN"}]},
        {"to_BusinessPartnerAddress": [{"Country": "US", "PostalCode": "12207"}]},
        {"to_BusinessPartnerAddress": [{"Country": "USA", "PostalCode": "12207", "Language": "EN"}]},
        {"to_Customer": {"to_CustomerCompany": [{"CompanyCode": "9999", "ReconciliationAccount": "12100000"}]}},
        {"to_Customer": {"to_CustomerCompany": [{"CompanyCode": "1710", "ReconciliationAccount": "41000000"}]}},
        {"IsFemale": "yes"},
        {"BirthDate": "yesterday"},
    ],
)
def test_one_wrong_part_refuses_the_whole_insert(sap: Sap, changes: dict[str, Any]) -> None:
    customers = len(sap.state("customers"))
    answer = sap.write("POST", "A_BusinessPartner", ann(**changes))
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]["value"]
    assert made_here(sap) == []
    assert len(sap.state("customers")) == customers
    assert sap.results("API_BUSINESS_PARTNER/A_AddressEmailAddress") == []


def test_details_list_every_cause(sap: Sap) -> None:
    address = {"Country": "US", "PostalCode": "ABC"}
    error = sap.write("POST", "A_BusinessPartner", ann(to_BusinessPartnerAddress=[address])).json()["error"]
    assert [each["code"] for each in error["innererror"]["errordetails"]] == ["AM/161", "R11/402"]
    assert {each["severity"] for each in error["innererror"]["errordetails"]} == {"error"}


def test_customers_are_not_created_directly(sap: Sap) -> None:
    answer = sap.write("POST", "A_Customer", {"Customer": "4711"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "/IWBEP/CM_MGW_RT/021")


def test_external_numbering_takes_the_number(sap: Sap) -> None:
    assert create(sap, BusinessPartnerGrouping="BP01", BusinessPartner="4711") == "4711"
    again = sap.write("POST", "A_BusinessPartner", ann(BusinessPartnerGrouping="BP01", BusinessPartner="0000004711"))
    assert again.status_code == 400


def test_patch_changes_one_entity_and_stamps_the_day(sap: Sap) -> None:
    number = create(sap)
    sap.control("POST", "/clock", {"advance_s": 86400})
    answer = sap.write("PATCH", f"A_BusinessPartner('{number}')", {"LastName": "Lee-Smith", "BusinessPartner": "1"})
    assert (answer.status_code, answer.content) == (204, b"")
    row = sap.get(f"API_BUSINESS_PARTNER/A_BusinessPartner('{number}')").json()["d"]
    assert (row["LastName"], row["FirstName"], row["BusinessPartnerFullName"]) == ("Lee-Smith", "Ann", "Ann Lee-Smith")
    assert int(row["LastChangeDate"][6:-2]) % 86_400_000 == 0


def test_changes_of_customer_data_do_not_touch_the_partner(sap: Sap) -> None:
    number = create(sap)
    sap.control("POST", "/clock", {"advance_s": 86400})
    path = f"A_CustomerCompany(Customer='{number}',CompanyCode='1710')"
    assert sap.write("MERGE", path, {"PaymentTerms": "0004"}).status_code == 204
    assert sap.get(f"API_BUSINESS_PARTNER/{path}").json()["d"]["PaymentTerms"] == "0004"
    assert sap.get(f"API_BUSINESS_PARTNER/A_BusinessPartner('{number}')").json()["d"]["LastChangeDate"] is None


def test_put_blanks_what_is_not_sent(sap: Sap) -> None:
    number = create(sap)
    assert sap.write("PUT", f"A_BusinessPartner('{number}')", {"BusinessPartnerCategory": "1", "LastName": "Lee"}).ok
    row = sap.get(f"API_BUSINESS_PARTNER/A_BusinessPartner('{number}')").json()["d"]
    assert (row["FirstName"], row["SearchTerm1"], row["Customer"]) == ("", "", number)


def test_deep_updates_are_refused_and_rows_are_added_below(sap: Sap) -> None:
    number = create(sap)
    deep = {"to_BusinessPartnerTax": [{"BPTaxType": "CA1", "BPTaxNumber": "123456789"}]}
    assert sap.write("PATCH", f"A_BusinessPartner('{number}')", deep).status_code == 400
    added = sap.write("POST", f"A_BusinessPartner('{number}')/to_BusinessPartnerTax", deep["to_BusinessPartnerTax"][0])
    assert (added.status_code, added.json()["d"]["BusinessPartner"]) == (201, number)


def test_what_cannot_be_deleted_is_not(sap: Sap) -> None:
    number = create(sap)
    assert sap.write("DELETE", f"A_BusinessPartner('{number}')").status_code == 400
    (address,) = sap.results(f"API_BUSINESS_PARTNER/A_BusinessPartner('{number}')/to_BusinessPartnerAddress")
    path = f"A_BusinessPartnerAddress(BusinessPartner='{number}',AddressID='{address['AddressID']}')"
    assert sap.write("DELETE", path).status_code == 204
    assert sap.get(f"API_BUSINESS_PARTNER/{path}").status_code == 404


def test_etags_where_the_metadata_asks_for_them(sap: Sap) -> None:
    number = create(sap)
    path = f"A_BusinessPartner('{number}')"
    assert "etag" not in sap.get(f"API_BUSINESS_PARTNER/{path}").json()["d"]["__metadata"]
    sap.settings(partner_etags=True)
    etag = sap.get(f"API_BUSINESS_PARTNER/{path}").json()["d"]["__metadata"]["etag"]
    assert sap.write("PATCH", path, {"LastName": "A"}).status_code == 428
    assert sap.write("PATCH", path, {"LastName": "B"}, headers={"If-Match": etag}).status_code == 204
    assert sap.write("PATCH", path, {"LastName": "C"}, headers={"If-Match": etag}).status_code == 412
    sap.settings(partner_etags=False)
    stormy = sap.write("PATCH", path, {"LastName": "D"}, headers={"X-Sandbox-Fault": "etag_conflict"})
    assert stormy.status_code == 412


def test_a_locked_partner_says_who_holds_it(sap: Sap) -> None:
    answer = sap.write("POST", "A_BusinessPartner", ann(), headers={"X-Sandbox-Fault": "locked"})
    assert answer.status_code == 400
    assert "currently being processed by user" in answer.json()["error"]["message"]["value"]


def batch(sap: Sap, *parts: str) -> Any:
    body = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--\r\n"
    return sap.http.post(
        f"{sap.told.base_url}{ODATA}/API_BUSINESS_PARTNER/$batch",
        data=body.encode(),
        headers={
            "Content-Type": "multipart/mixed; boundary=b",
            "X-CSRF-Token": sap.fetch_token(),
            "Accept": "application/json",
        },
        auth=sap.auth,
    )


def read_part(path: str) -> str:
    return f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET {path} HTTP/1.1\r\n\r\n"


def changeset(*writes: tuple[str, str, str]) -> str:
    parts = "".join(
        "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: {number}\r\n\r\n{method} {path} HTTP/1.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}\r\n"
        for number, (method, path, body) in enumerate(writes, 1)
    )
    return f"Content-Type: multipart/mixed; boundary=c\r\n\r\n{parts}--c--\r\n"


BO = '{"BusinessPartnerCategory":"1","BusinessPartnerGrouping":"BP02","LastName":"Bo"}'
BAD = '{"BusinessPartnerCategory":"9","BusinessPartnerGrouping":"BP02","LastName":"Bad"}'


def test_batch_answers_in_order(sap: Sap) -> None:
    answer = batch(
        sap, read_part("A_Customer('17100001')?$select=Customer"), changeset(("POST", "A_BusinessPartner", BO))
    )
    assert answer.status_code == 202
    assert answer.headers["Content-Type"].startswith("multipart/mixed; boundary=")
    assert answer.text.index("HTTP/1.1 200 OK") < answer.text.index("HTTP/1.1 201 Created")
    assert [each["LastName"] for each in made_here(sap)] == ["Bo"]


def test_a_change_set_is_all_or_nothing_with_one_error(sap: Sap) -> None:
    failing = changeset(("POST", "A_BusinessPartner", BO), ("POST", "A_BusinessPartner", BAD))
    answer = batch(sap, failing, read_part("A_Customer('17100001')"))
    assert answer.status_code == 202
    assert answer.text.count("HTTP/1.1 400") == 1
    assert "HTTP/1.1 201" not in answer.text
    assert "HTTP/1.1 200" in answer.text
    assert made_here(sap) == []


def test_a_part_can_refer_to_an_earlier_one(sap: Sap) -> None:
    role = '{"BusinessPartnerRole":"FLCU00"}'
    answer = batch(sap, changeset(("POST", "A_BusinessPartner", BO), ("POST", "$1/to_BusinessPartnerRole", role)))
    assert answer.text.count("HTTP/1.1 201") == 2
    assert made_here(sap)[0]["Customer"]


def test_batches_need_the_token_and_a_sound_body(sap: Sap) -> None:
    url = f"{sap.told.base_url}{ODATA}/API_BUSINESS_PARTNER/$batch"
    bare = sap.http.post(url, data=b"", headers={"Content-Type": "multipart/mixed; boundary=b"}, auth=sap.auth)
    assert bare.status_code == 403
    assert batch(sap, read_part("A_Customer").replace("GET", "FETCH")).status_code == 400
    assert batch(sap, read_part("A_Customer").replace("GET", "DELETE")).status_code == 400
