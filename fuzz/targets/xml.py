"""XML of any kind: no entity is expanded, nothing is fetched, nothing but `ValueError` comes out."""

from multidict import CIMultiDict, CIMultiDictProxy

from fuzz.target import Target
from ml_connector.connectors.http import Response
from ml_connector.connectors.odata_errors import error_of
from ml_connector.connectors.redaction import Redactor
from ml_connector.connectors.s4hana.answers import confirmations, not_executed, results
from ml_connector.connectors.soap import Fault, body_of

EMPTY: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
REDACTOR = Redactor(["secret-of-the-fuzzer"])


def run(data: bytes) -> None:
    body = data.partition(b"\n\n")[2] or data
    error = error_of(Response(500, EMPTY, body))
    assert isinstance(error.words, str)
    kept = REDACTOR.body(body)
    assert "secret-of-the-fuzzer" not in kept
    message = body_of(body)
    if isinstance(message, Fault):
        not_executed(message)
    else:
        results(confirmations(message), ["A", "B"])


TARGET = Target("xml", "XML: envelopes, faults, errors, and what the audit keeps of them", "http", run, (ValueError,))
