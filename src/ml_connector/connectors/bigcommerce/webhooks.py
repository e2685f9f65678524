"""Verifying a webhook delivery on its raw bytes, and what it says may have changed. Pure.

The vendor documents Standard Webhooks headers ("HTTPS Webhook Overview"; Standard Webhooks specification): HMAC-SHA256
over `{webhook-id}.{webhook-timestamp}.{raw body}` under the API account's client secret. Besides, every hook that we
register carries a secret header of our own, which the store sends back. The body is only a hint: what it names is
always read again.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from ml_connector.connectors.base import Delivery
from ml_connector.connectors.bigcommerce.settings import StoreSettings
from ml_connector.connectors.errors import Forged

SECRET_HEADER = "X-Ml-Connector-Secret"  # noqa: S105 - a header's name
WINDOW_S = 300

Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """Deliveries of a matching scope mark `flow` under the ID at the first of `paths` in `data`. No flow: no mark."""

    scope: re.Pattern[str]
    flow: str
    paths: tuple[tuple[str, ...], ...] = ()


_ORDER = r"store/(channel/\d+/)?order/"

# First match wins. A metafield event is the echo of our own note and a message changes no amount: they mark nothing.
RULES: tuple[ScopeRule, ...] = (
    ScopeRule(re.compile(_ORDER + r"(metafield|message)/"), ""),
    ScopeRule(re.compile(_ORDER), "orders", (("order_id",), ("id",))),
    ScopeRule(re.compile(r"store/(channel/\d+/)?shipment/"), "orders", (("orderId",), ("order_id",))),
    ScopeRule(re.compile(r"store/customer/address/"), "customers", (("address", "customer_id"), ("customer_id",))),
    ScopeRule(re.compile(r"store/(channel/\d+/)?customer/(created|updated|deleted)$"), "customers", (("id",),)),
)


def verify(settings: StoreSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
    """The verified delivery. `now` is an aware moment. Raises `Forged` with the reason, for us alone."""
    lowered = {name.lower(): value for name, value in headers.items()}
    signed = SCHEMES[settings.webhook_scheme](settings, lowered, body, now)
    payload = _payload(body)
    producer = payload.get("producer")
    if producer != f"stores/{settings.store_hash}":
        raise Forged(f"the producer {_shown(producer)} is not our store")
    scope = payload.get("scope")
    if not isinstance(scope, str) or not scope:
        raise Forged("the body names no scope")
    return Delivery(id=_delivery_id(lowered, payload, body, signed), scope=scope, marks=_marks(scope, payload))


def _standard(settings: StoreSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    _own_secret(settings, headers)
    _standard_signature(settings, headers, body, now)
    return True


def _secret_header(settings: StoreSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    _own_secret(settings, headers)
    if "webhook-signature" not in headers:
        return False
    _standard_signature(settings, headers, body, now)
    return True


def _x_bc_signature(settings: StoreSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    del now  # this scheme signs no time
    given = headers.get("x-bc-signature", "").strip()
    if not given:
        raise Forged("no X-BC-Signature header")
    expected = hmac.digest(_signing_key(settings), body, hashlib.sha256)
    if not any(hmac.compare_digest(expected, candidate) for candidate in _decodings(given)):
        raise Forged("X-BC-Signature does not match the body")
    if SECRET_HEADER.lower() in headers:
        _own_secret(settings, headers)
    return False


SCHEMES: Mapping[str, Callable[[StoreSettings, Mapping[str, str], bytes, datetime], bool]] = {
    "standard": _standard,
    "secret_header": _secret_header,
    "x-bc-signature": _x_bc_signature,
}


def _own_secret(settings: StoreSettings, headers: Mapping[str, str]) -> None:
    if not settings.webhook_secret:
        raise Forged("the connection has no webhook_secret, so no delivery can be believed")
    given = headers.get(SECRET_HEADER.lower())
    if given is None:
        raise Forged(f"no {SECRET_HEADER} header")
    if not hmac.compare_digest(_bytes(given), settings.webhook_secret.encode()):
        raise Forged(f"{SECRET_HEADER} is not our secret")


def _standard_signature(settings: StoreSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    message_id, stamp, given = (headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not (message_id and stamp and given):
        raise Forged("the headers webhook-id, webhook-timestamp and webhook-signature are not all there")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise Forged("webhook-timestamp is no number of seconds")
    if abs(now.timestamp() - int(stamp)) > WINDOW_S:
        raise Forged(f"webhook-timestamp is more than {WINDOW_S} seconds from our clock")
    content = b".".join((_bytes(message_id), stamp.encode(), body))
    expected = base64.b64encode(hmac.digest(_signing_key(settings), content, hashlib.sha256))
    candidates = [_bytes(entry[3:]) for entry in given.split() if entry.startswith("v1,")]
    if not any(hmac.compare_digest(expected, candidate) for candidate in candidates):
        raise Forged("webhook-signature does not match the body")


def _signing_key(settings: StoreSettings) -> bytes:
    if not settings.client_secret:
        raise Forged("the connection has no client_secret, so no signature can be checked")
    return settings.client_secret.encode()


def _decodings(signature: str) -> Sequence[bytes]:
    """The digest written as hex or base64, with or without a leading `sha256=`."""
    bare = signature.removeprefix("sha256=")
    found: list[bytes] = []
    for decode in (binascii.unhexlify, binascii.a2b_base64):
        with contextlib.suppress(ValueError):
            found.append(decode(bare))
    return found


def _payload(body: bytes) -> Payload:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Forged("the body is not JSON") from error
    if not isinstance(payload, dict):
        raise Forged("the body is not a JSON object")
    return cast(Payload, payload)


def _delivery_id(headers: Mapping[str, str], payload: Payload, body: bytes, signed: bool) -> str:
    if signed:
        return headers["webhook-id"]
    given = payload.get("hash")
    return given if isinstance(given, str) and given else hashlib.sha256(body).hexdigest()


def _marks(scope: str, payload: Payload) -> tuple[tuple[str, str, datetime | None], ...]:
    rule = next((rule for rule in RULES if rule.scope.match(scope)), None)
    if rule is None or not rule.flow:
        return ()
    key = next(filter(None, (_record_key(payload.get("data"), path) for path in rule.paths)), "")
    if not key:
        raise Forged(f"the body of {scope} names no record")
    # `created_at` is the event's moment, not the record's own stamp: a mark by webhook carries none.
    return ((rule.flow, key, None),)


def _record_key(data: object, path: tuple[str, ...]) -> str:
    for name in path:
        data = cast(Payload, data).get(name) if isinstance(data, dict) else None
    text = str(data) if isinstance(data, int | str) and not isinstance(data, bool) else ""
    return str(int(text)) if text.isascii() and text.isdigit() and len(text) <= 18 and int(text) > 0 else ""


def _bytes(header: str) -> bytes:
    return header.encode("utf-8", "surrogateescape")


def _shown(value: object) -> str:
    return ascii(value)[:80]
