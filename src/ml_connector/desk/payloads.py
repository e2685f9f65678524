"""Bodies of requests and answers as a person may see them: laid out, and without personal data unless entitled.

Names decide, not values: what a customer typed may look like anything. A body that was cut off in the audit is no JSON
any more, so hiding works on text.
"""

import json
import re

HIDDEN = "hidden, personal data"

_NAMES = (
    # the store
    *("first_name", "last_name", "company", "street_1", "street_2", "city", "zip", "phone", "email", "ip_address"),
    *("ip_address_v6", "registration_ip_address", "customer_message", "staff_notes", "postal_code", "address1"),
    *("address2", "recipient_name", "form_fields"),
    # SAP S/4HANA
    *("BusinessPartnerFullName", "FirstName", "LastName", "OrganizationBPName1", "OrganizationBPName2", "StreetName"),
    *("HouseNumber", "CityName", "PostalCode", "EmailAddress", "PhoneNumber", "BusinessPartnerName1", "Name1"),
    *("SearchTerm1", "AddresseeName"),
    # SAP Business One
    *("CardName", "Address", "Address2", "Street", "StreetNo", "Block", "City", "ZipCode", "E_Mail", "EmailAddress"),
    *("Phone1", "Cellular", "ContactPerson", "CardForeignName", "ShipToStreet", "ShipToCity", "ShipToZipCode"),
    *("BillToStreet", "BillToCity", "BillToZipCode"),
)
_KEYS = "|".join(sorted({re.escape(name) for name in _NAMES}, key=len, reverse=True))
_JSON = re.compile(rf'(\\?"(?:{_KEYS})\\?"\s*:\s*)(\\?"(?:[^"\\]|\\.)*?\\?")(?=\s*[,}}\]]|\s*$)', re.IGNORECASE)
_CUT = re.compile(rf'(\\?"(?:{_KEYS})\\?"\s*:\s*)(\\?"[^"]*)$', re.IGNORECASE)
_XML = re.compile(rf"(<(?:\w+:)?(?:{_KEYS})(?:\s[^>]*)?>)([^<]+)", re.IGNORECASE)
_MAIL = re.compile(r"[^\s'\"/?&=(),]+(?:@|%40)[^\s'\"/?&=(),]+", re.IGNORECASE)
_EMPTY = ('""', '\\"\\"')


def hidden(body: str) -> str:
    """`body` with `HIDDEN` in place of every value whose name says that it is about a person."""
    hide = f'"{HIDDEN}"'
    body = _JSON.sub(lambda found: found[0] if found[2] in _EMPTY else found[1] + hide, body)
    body = _CUT.sub(lambda found: found[1] + hide, body)
    return _XML.sub(rf"\g<1>{HIDDEN}", body)


def without_mail(url: str) -> str:
    """`url` without mail addresses: a customer is looked for by theirs."""
    return _MAIL.sub(HIDDEN, url)


def laid_out(body: str) -> str:
    """JSON with one member a line; everything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


def shown(body: str, *, reveal: bool) -> str:
    """As a page shows it."""
    return laid_out(body if reveal else hidden(body))
