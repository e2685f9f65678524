"""Which addresses may be called, and TLS failures in words."""

import asyncio
import ssl
from pathlib import Path

import pytest

from ml_connector.connectors.errors import Unreachable, UnsafeAddress
from ml_connector.connectors.http import HttpSession, Timeouts
from ml_connector.connectors.redaction import BODY_LIMIT, Redactor
from ml_connector.connectors.safety import AddressPolicy, path_and_query
from ml_connector.connectors.tls import TlsSettings
from tests.connectors.certificates import Authority
from tests.connectors.shared import LocalServices, TestPermit

PUBLIC = AddressPolicy()
ON_PREMISES = AddressPolicy(allow_private=True)
SANDBOX = AddressPolicy(sandbox=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "ftp://api.example",
        "https://user:pw@api.example",
        "https://127.0.0.1",
        "https://10.1.2.3",
        "https://[::1]",
        "https://[::ffff:10.0.0.1]",
        "https://[64:ff9b::a9fe:a9fe]",
        "https://169.254.169.254",
        "https://100.100.100.200",
        "https://0.0.0.0",
        "https://api.example:port",
        "https://",
        "api.example",
    ],
)
def test_refused(url: str):
    with pytest.raises(UnsafeAddress):
        PUBLIC.check_url(url)


def test_permitted():
    PUBLIC.check_url("https://api.example/x")
    PUBLIC.check_url("https://8.8.8.8")
    ON_PREMISES.check_url("https://10.1.2.3")
    SANDBOX.check_url("http://127.0.0.1:8080")


@pytest.mark.parametrize("policy", [ON_PREMISES, SANDBOX])
@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "168.63.129.16", "224.0.0.1"])
def test_metadata_is_refused_always(policy: AddressPolicy, host: str):
    with pytest.raises(UnsafeAddress):
        policy.check_url(f"https://{host}/")


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "localhost"])
async def test_names_are_checked_after_resolution(host: str):
    session = HttpSession(f"https://{host}:9", services=LocalServices(), timeouts=Timeouts(2, 2, 2))
    permit = TestPermit()
    with pytest.raises((UnsafeAddress, Unreachable)):  # short forms of addresses are refused before resolution
        await session.read("GET", "/")
    with pytest.raises((UnsafeAddress, Unreachable)):
        await session.write("POST", "/", body=b"x", permit=permit)
    await session.close()
    assert permit.arms == 0


async def test_a_name_of_a_local_address_is_unsafe():
    session = HttpSession("https://localhost:9", services=LocalServices(), timeouts=Timeouts(2, 2, 2))
    with pytest.raises(UnsafeAddress, match="allow_private"):
        await session.read("GET", "/")
    await session.close()


def test_next_links_lose_their_host():
    assert path_and_query("https://evil.example/a/b?$skiptoken=5") == "/a/b?$skiptoken=5"
    assert path_and_query("Set?$skiptoken=5") == "/Set?$skiptoken=5"


# ------------------------------------------------------------------ TLS


async def https_answer(context: ssl.SSLContext, tls: TlsSettings) -> int:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    session = HttpSession(
        f"https://localhost:{port}", services=LocalServices(), timeouts=Timeouts(3, 3, 3), tls=tls, sandbox=True
    )
    try:
        return (await session.write("POST", "/", permit=TestPermit())).status
    finally:
        await session.close()
        server.close()


async def test_own_authority_is_trusted_when_named(tmp_path: Path):
    authority = Authority(tmp_path)
    context = authority.server_context("localhost")
    assert await https_answer(context, TlsSettings(ca_file=str(authority.ca_file))) == 200
    with pytest.raises(Unreachable, match="ca_file"):
        await https_answer(context, TlsSettings())


async def test_expired_and_wrong_host_in_words(tmp_path: Path):
    authority = Authority(tmp_path)
    trusted = TlsSettings(ca_file=str(authority.ca_file))
    with pytest.raises(Unreachable, match="expired"):
        await https_answer(authority.server_context("localhost", days=-1), trusted)
    with pytest.raises(Unreachable, match="another host name"):
        await https_answer(authority.server_context("other.example"), trusted)


async def test_the_name_in_the_certificate_may_be_told(tmp_path: Path):
    authority = Authority(tmp_path)
    named = TlsSettings(ca_file=str(authority.ca_file), server_name="b1.internal")
    assert await https_answer(authority.server_context("b1.internal"), named) == 200
    with pytest.raises(Unreachable, match="another host name"):  # that one and no other
        await https_answer(authority.server_context("localhost"), named)


async def test_client_certificate_is_presented(tmp_path: Path):
    authority = Authority(tmp_path)
    context = authority.server_context("localhost", wants_client=True)
    certificate, key = authority.issue("client")
    as_text = TlsSettings(
        ca_file=str(authority.ca_file), client_certificate=certificate.read_text(), client_key=key.read_text()
    )
    assert await https_answer(context, as_text) == 200
    as_file = TlsSettings(ca_file=str(authority.ca_file), client_certificate=str(certificate), client_key=str(key))
    assert await https_answer(context, as_file) == 200


def test_unreadable_tls_files_are_said_in_words():
    with pytest.raises(Unreachable, match="authority"):
        TlsSettings(ca_file="/nowhere/ca.pem").context()
    with pytest.raises(Unreachable, match="client certificate"):
        TlsSettings(client_certificate="/nowhere/c.pem").context()


# ------------------------------------------------------------------ redaction


def test_redaction():
    redactor = Redactor(["p&ss/word"])
    text = redactor.text(
        'Authorization: Basic QUJDREVGRzEyMw== p&ss/word p%26ss%2Fword p&amp;ss/word {"client_secret": "q\\"x"} '
        "<Password>abc</Password>"
    )
    for leak in ("QUJD", "p&ss", "p%26", "p&amp;", 'q\\"x', ">abc<"):
        assert leak not in text


def test_bodies_are_cut():
    kept = Redactor().body(b"x" * (BODY_LIMIT + 10))
    assert len(kept) < BODY_LIMIT + 100
    assert f"{BODY_LIMIT + 10} bytes" in kept
