"""SOAP: building in the order of the tables, a parser that resolves nothing, faults."""

from datetime import date

import pytest
from lxml import etree

from ml_connector.connectors.soap import Amount, Fault, Field, FieldError, body_of, build, envelope, local, parse_xml

FIELDS = (
    Field("First", length=5, required=True),
    Field("Second", "string", length=10),
    Field("Day", "date"),
    Field("Amount", "amount"),
    Field("Flag", "boolean"),
    Field("Row", "complex", fields=(Field("Number", length=3, pattern=r"\d+"),)),
)


def built(values: dict) -> str:
    root = etree.Element("Root")
    build(root, FIELDS, values)
    return etree.tostring(root).decode()


def test_order_of_the_table_not_of_the_values():
    values = {
        "Row": [{"Number": "1"}, {"Number": "2"}],
        "Flag": False,
        "Amount": Amount("-1.50", "USD"),
        "Day": date(2026, 1, 31),
        "First": " a  b ",
    }
    assert built(values) == (
        '<Root><First>a b</First><Day>2026-01-31</Day><Amount currencyCode="USD">-1.50</Amount><Flag>false</Flag>'
        "<Row><Number>1</Number></Row><Row><Number>2</Number></Row></Root>"
    )


def test_control_characters_and_markup_are_harmless():
    assert (
        built({"First": "a", "Second": "<&>\x00\x0b"}) == "<Root><First>a</First><Second>&lt;&amp;&gt;</Second></Root>"
    )


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "First"),
        ({"First": "toolong"}, "First"),
        ({"First": "a", "Wrong": "x"}, "Wrong"),
        ({"First": "a", "Row": {"Number": "x"}}, "Row/Number"),
        ({"First": "a", "Row": "text"}, "Row"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict, field: str):
    with pytest.raises(FieldError) as caught:
        built(values)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<a><b></a>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
        b"<!DOCTYPE lol [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><a>&b;</a>",
    ],
)
def test_parser_refuses(body: bytes):
    with pytest.raises(ValueError, match=r"XML|document type"):
        parse_xml(body)


def test_external_entities_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    body = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><a>&x;</a>'.encode()
    with pytest.raises(ValueError, match="document type"):
        parse_xml(body)


def test_envelope_and_faults():
    assert local(body_of(envelope(etree.Element("Message")))) == "Message"
    one = (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Server</faultcode>'
        b"<faultstring>Went wrong</faultstring><detail><x>CX_ST</x></detail></s:Fault></s:Body></s:Envelope>"
    )
    assert body_of(one) == Fault("s:Server", "Went wrong; CX_ST")
    two = (
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Receiver'
        b"</s:Value></s:Code><s:Reason><s:Text>No</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
    )
    assert body_of(two) == Fault("s:Receiver", "No")
    for wrong in (
        b"<html/>",
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>',
    ):
        with pytest.raises(ValueError, match="SOAP"):
            body_of(wrong)
