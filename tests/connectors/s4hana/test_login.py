"""Logins over TLS: own authority, client certificate; and what leaves no trace."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ml_connector.connectors.base import Outgoing, Posted
from ml_connector.connectors.errors import Unauthorized, Uncertain, Unreachable
from ml_connector.connectors.s4hana.connector import S4Connector
from ml_connector.connectors.s4hana.settings import read_settings
from ml_connector.sandbox.process import SandboxProcess
from tests.connectors.certificates import Authority
from tests.connectors.s4hana.conftest import connect, settings_of
from tests.connectors.s4hana.documents import order
from tests.connectors.s4hana.erp import Erp
from tests.connectors.shared import LocalServices, TestPermit


@pytest.fixture(scope="module")
def tls_sandbox(tmp_path_factory: pytest.TempPathFactory):
    with SandboxProcess(["s4hana"], options=["--tls", str(tmp_path_factory.mktemp("tls"))]) as process:
        yield process


async def test_own_authority(tls_sandbox: SandboxProcess, services: LocalServices):
    erp = Erp(tls_sandbox.systems["s4hana"])
    assert erp.announced.base_url.startswith("https://")
    erp.reset()
    trusting = connect(erp, services, tls={"ca_file": erp.announced.ca_file})
    (result,) = await trusting.post([Outgoing(order())], TestPermit())
    assert isinstance(result, Posted)
    await trusting.close()
    strict = connect(erp, services)
    with pytest.raises(Unreachable, match="ca_file"):
        await strict.post([Outgoing(order())], TestPermit())
    await strict.close()


async def test_client_certificate_is_a_login(tls_sandbox: SandboxProcess, services: LocalServices):
    erp = Erp(tls_sandbox.systems["s4hana"])
    erp.reset()
    connector = connect(erp, services, auth="certificate", tls={"ca_file": erp.announced.ca_file})
    (result,) = await connector.post([Outgoing(order())], TestPermit())
    assert isinstance(result, Posted)
    assert all("/token" not in request["path"] for request in erp.requests())
    await connector.close()


async def test_certificate_of_a_stranger_posts_nothing(
    tls_sandbox: SandboxProcess, services: LocalServices, tmp_path: Path
):
    """With TLS 1.3 the server refuses after our handshake is over: bytes have left, so the outcome counts as open."""
    erp = Erp(tls_sandbox.systems["s4hana"])
    erp.reset()
    certificate, key = Authority(tmp_path).issue("BCCONNECT")
    tls = {"ca_file": erp.announced.ca_file, "certificate_file": str(certificate), "key_file": str(key)}
    given = settings_of(erp, auth="certificate", tls=tls)
    connector = S4Connector(read_settings(replace(given, credentials={})), services)
    with pytest.raises((Unauthorized, Unreachable, Uncertain)):
        await connector.post([Outgoing(order())], TestPermit())
    (login,) = await connector.ping()
    assert not login.ok
    assert "certificate" in login.fix
    assert erp.entries() == []
    await connector.close()


@pytest.mark.parametrize("auth", ["oauth", "basic"])
async def test_no_secret_is_kept(erp: Erp, services: LocalServices, auth: str):
    connector = connect(erp, services, auth=auth)
    await connector.post([Outgoing(order())], TestPermit())
    await connector.close()
    kept = json.dumps([str(call) for call in services.kept.calls])
    assert "S1-O10250" in kept
    for secret in erp.announced.credentials.values():
        if secret != "BCCONNECT":
            assert secret not in kept
    for token in services.memory_tokens.kept.values():
        assert token.value not in kept
