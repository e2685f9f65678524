"""Base URLs, redirects and next links: wherever a call would go, the policy has to permit it."""

import ipaddress
from typing import Any

from yarl import URL

from fuzz.target import Target
from fuzz.wire import Script, Scripted, document, services, wait_for
from ml_connector.connectors.errors import ConnectorError
from ml_connector.connectors.http import Response
from ml_connector.connectors.odata import ODataService
from ml_connector.connectors.safety import AddressPolicy, path_and_query

PUBLIC = AddressPolicy()


class _Watched(Scripted):
    """Sees where a call would really go: as the HTTP library reads the address."""

    allowed_host = ""

    async def _exchange(self, pool: Any, method: str, url: str, headers: Any, body: Any, attempt: Any) -> Response:
        target = URL(url, encoded=True)
        host = (target.raw_host or "").lower()
        assert target.scheme == "https", url
        assert host == self.allowed_host or not self.allowed_host, f"{url} would go to {host}"
        _public(host)
        return await super()._exchange(pool, method, url, headers, body, attempt)


def _public(host: str) -> None:
    """Neither an address of our own network, nor a number that a resolver takes for one."""
    assert host.strip("."), "no host"
    try:
        address = ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        last = host.rstrip(".").rsplit(".", 1)[-1]
        assert not last.isdigit(), f"{host} is a number in disguise"
        assert not last.lower().startswith("0x"), f"{host} is a number in disguise"
        return
    assert not PUBLIC.refuse_address(str(address)), host


async def _go(base: str, link: str, script: Script) -> None:
    session = _Watched(base, services=services())
    session.script = script
    try:
        parts = PUBLIC.check_url(base)
        session.allowed_host = (URL(base, encoded=True).raw_host or "").lower()
        assert session.allowed_host == (parts.hostname or "").lower(), "two parsers read two hosts"
    except ConnectorError:
        session.allowed_host = ""  # no call to the base itself; links are judged one by one
    for path in (link, path_and_query(link)):
        try:
            await session.read("GET", path if "://" in path or path.startswith("/") else f"/{path}")
        except ConnectorError:
            continue
    service = ODataService(session, "/sap/opu/odata/sap/X", system="S/4HANA", scenario="none")
    try:
        own = service._own(link)
        assert own.startswith("/sap/opu/odata/sap/X/"), own
        await session.read("GET", own)
    except ConnectorError:
        return


def run(data: bytes) -> None:
    """`{"base": "https://...", "link": "...", "answers": [{"status": 302, "headers": {"Location": "..."}}]}`"""
    told = document(data)
    answers = told.get("answers")
    script = Script(answers if isinstance(answers, list) else [])
    wait_for(_go(str(told.get("base")), str(told.get("link")), script))


TARGET = Target("addresses", "base URLs, redirects, next links", "json", run, (ConnectorError,), largest=8_192)
