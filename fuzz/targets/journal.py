"""Answers of the journal entry service: each document is posted, refused or unknown; never posted without a word."""

import base64

from tests.connectors.s4hana.documents import order, payment

from fuzz.target import NotUsable, Target
from fuzz.targets.erp import connector
from fuzz.wire import Script, wait_for
from ml_connector.connectors.base import FreePermit, Outgoing, Posted, PostResult, Refused, Unknown
from ml_connector.connectors.errors import ConnectorError

DOCUMENTS = (order(), payment())
TOKEN = {"to": "/oauth2/token", "status": "200", "body": '{"access_token": "token-of-the-fuzzer", "expires_in": 3600}'}


async def _post(script: Script) -> list[PostResult]:
    return list(await connector(script).post([Outgoing(document) for document in DOCUMENTS], permit=FreePermit()))


def run(data: bytes) -> None:
    """Headers (`Status: 200` among them), an empty line, the answer's body."""
    head, _, body = data.partition(b"\n\n")
    headers: dict[str, str] = {}
    for line in head.split(b"\n"):
        name, _, value = line.partition(b": ")
        headers[name.decode("latin-1")] = value.decode("latin-1")
    status = headers.pop("Status", "200")
    answer = {
        "to": "journalentry",
        "status": status,
        "headers": headers,
        "body": {"base64": base64.b64encode(body).decode()},
    }
    if not status.isascii() or not status.isdigit() or len(status) != 3 or not "2" <= status[0] <= "5":
        raise NotUsable
    script = Script([TOKEN, answer, {"to": "API_OPLACCTGDOCITEMCUBE_SRV", "status": "503", "body": ""}])
    found = wait_for(_post(script))
    assert len(found) == len(DOCUMENTS)
    for result in found:
        match result:
            case Posted():
                assert result.number.strip("0/ "), "posted, and without a number"
            case Refused() | Unknown():
                assert result.message
    posted = [result.number for result in found if isinstance(result, Posted)]
    assert len(posted) == len(set(posted)), "two documents with one number"


TARGET = Target("journal", "SOAP answers of the journal entry service", "http", run, (ConnectorError,))
