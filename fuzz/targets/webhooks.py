"""A delivery: verified, or refused without a word. What was not signed with our secrets is never believed."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

from fuzz.target import NotUsable, Target
from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.bigcommerce.webhooks import SCHEMES, SECRET_HEADER, verify
from ml_connector.connectors.errors import Forged
from ml_connector.web.intake import _plain as plain

NOW = datetime(2026, 3, 4, 15, 20, tzinfo=UTC)
CLIENT_SECRET, OWN_SECRET = "client-secret-of-the-fuzzer", "own-secret-of-the-fuzzer"
LARGEST_ID = 10**18


def run(data: bytes) -> None:
    """Headers, an empty line, the raw body. `X-Fuzz-Scheme` names the scheme; with `X-Fuzz-Sign` the harness signs."""
    head, _, body = data.partition(b"\n\n")
    headers: dict[str, str] = {}
    for line in head.split(b"\n"):
        name, _, value = line.partition(b": ")
        headers[name.decode("latin-1")] = value.decode("latin-1").strip()  # as the server hands them on
    scheme = headers.pop("X-Fuzz-Scheme", "standard")
    sign = headers.pop("X-Fuzz-Sign", "")
    if scheme not in SCHEMES:
        raise NotUsable
    settings = StoreSettings(
        name="store",
        store_hash="abc123",
        access_token="t",
        client_secret=CLIENT_SECRET,
        webhook_secret=OWN_SECRET,
        webhook_scheme=scheme,  # type: ignore[arg-type]
    )
    if sign:
        headers |= _signed(scheme, headers, body)
    try:
        delivery = verify(settings, headers, body, NOW)
    except Forged as error:
        assert error.reason
        error.reason.encode()  # it goes into the audit
        return
    assert sign, "a delivery that nobody signed was believed"
    for text in (plain(delivery.id), plain(delivery.scope)):
        text.encode()
        assert "\x00" not in text
    for flow, key, _ in delivery.marks:
        assert flow in ("orders", "customers")
        assert key.isascii()
        assert 0 < int(key) < LARGEST_ID


def _signed(scheme: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
    if scheme == "x-bc-signature":
        return {"X-BC-Signature": hmac.digest(CLIENT_SECRET.encode(), body, hashlib.sha256).hex()}
    lowered = {name.lower(): value for name, value in headers.items()}
    id, stamp = lowered.get("webhook-id", "msg_1"), str(int(NOW.timestamp()))
    content = f"{id}.{stamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(CLIENT_SECRET.encode(), content, hashlib.sha256)).decode()
    made = {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}
    return {SECRET_HEADER: OWN_SECRET} | ({} if scheme == "secret_header" and "webhook-id" not in lowered else made)


TARGET = Target("webhooks", "verifying and reading webhook deliveries", "http", run, (), largest=16_384)
