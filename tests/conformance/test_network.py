"""Certificates and proxies of a company's network."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from ml_connector.connectors.base import Lookup, Outgoing, Pings, Posted
from ml_connector.connectors.errors import Unreachable
from ml_connector.engine.database import Database
from ml_connector.sandbox.process import Announced, SandboxProcess
from tests.conformance.stage import Stage, connector_of, staged
from tests.conformance.systems import LISTED, Listed
from tests.connectors.shared import TestPermit


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Announced]]:
    options = ["--tls", str(tmp_path_factory.mktemp("tls"))]
    with SandboxProcess([listed.system for listed in LISTED], options=options) as process:
        yield dict(process.systems)


@pytest.fixture
async def tls_stage(listed: Listed, over_tls: dict[str, Announced], database: Database) -> AsyncIterator[Stage]:
    announced = over_tls[listed.system]
    async with staged(listed, announced, database, tls={"ca_file": announced.ca_file}) as stage:
        yield stage


async def test_a_company_s_own_authority_is_trusted_where_it_is_named(tls_stage: Stage) -> None:
    assert tls_stage.erp.announced.base_url.startswith("https://")
    customer = tls_stage.plan()[0]
    await tls_stage.settled([customer])
    tls_stage.stands_once([customer])


async def test_a_certificate_that_nobody_named_is_refused_in_words(tls_stage: Stage) -> None:
    """Self-signed, or of an authority of the company's own: the words say where to put it."""
    customer = tls_stage.plan()[0]
    async with connector_of(tls_stage.listed, tls_stage.erp.announced) as strict:
        with pytest.raises(Unreachable, match="ca_file"):
            await strict.post([Outgoing(customer)], TestPermit())
        assert isinstance(strict, Pings)
        assert any("ca_file" in check.message for check in await strict.ping() if not check.ok)
    assert tls_stage.erp.live() == {}


async def test_everything_goes_through_the_company_s_proxy(tls_stage: Stage) -> None:
    """Reads and writes both: the proxy alone opens connections."""
    customer = tls_stage.plan()[0]
    async with a_proxy() as (address, opened):
        announced = tls_stage.erp.announced
        tls = {"ca_file": announced.ca_file}
        async with connector_of(tls_stage.listed, announced, proxy=address, tls=tls) as through:
            [answer] = await through.post([Outgoing(customer)], TestPermit())
            assert isinstance(answer, Posted), answer
            assert (await through.find([Lookup(customer)]))[customer.reference]
    assert opened
    assert set(opened) == {announced.base_url.removeprefix("https://")}
    tls_stage.stands_once([customer])


async def test_a_proxy_that_is_away_has_sent_nothing(tls_stage: Stage) -> None:
    customer = tls_stage.plan()[0]
    async with a_proxy() as (address, _):
        pass
    announced = tls_stage.erp.announced
    tls = {"ca_file": announced.ca_file}
    async with connector_of(tls_stage.listed, announced, proxy=address, tls=tls) as through:
        with pytest.raises(Unreachable):
            await through.post([Outgoing(customer)], TestPermit())
    assert tls_stage.erp.live() == {}


@asynccontextmanager
async def a_proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that tunnels (`CONNECT`), and the hosts that it was asked for."""
    opened: list[str] = []

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(65536):
                sink.write(piece)
                await sink.drain()
        except ConnectionError:
            pass  # one side has gone; the other learns it below
        finally:
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)
        assert method == b"CONNECT", method
        opened.append(target.decode())
        host, _, port = target.decode().rpartition(":")
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", opened
    finally:
        server.close()
