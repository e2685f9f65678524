"""What the audit may keep of a request: no secret, no token, no cookie, no complete e-mail address, a bounded size."""

import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
BODY_LIMIT = 64 * 1024  # characters of a body that the audit keeps
SHORTEST_SECRET = 4  # masking shorter strings would eat ordinary text

_NAMES = (
    r"access_token|refresh_token|id_token|client_secret|client_assertion|password|passwd|secret|api_?key|"
    r"x-auth-token|authorization|x-csrf-token|set-cookie|cookie|session_?id|card_?number|cvv"
)
# Every one of `_NAMES` holds one of these. Most bodies hold none, and this is found out a hundred times faster.
_STEMS = (
    *("token", "secret", "assertion", "passw", "api_key", "apikey", "authorization", "cookie"),
    *("session_id", "sessionid", "card_number", "cardnumber", "cvv"),
)
# Every one of `_NAMES` ends with one of these, and what follows says in which of the three forms it is written.
_ENDS = (
    *("token", "secret", "assertion", "password", "passwd", "api_key", "apikey", "authorization", "cookie"),
    *("session_id", "sessionid", "card_number", "cardnumber", "cvv"),
)
_JSON_ENDS = tuple(f'{end}"' for end in _ENDS)
_FORM_ENDS = tuple(f"{end}=" for end in _ENDS)
_JSON_FIELD = re.compile(rf'("(?:{_NAMES})"\s*:\s*)("(?:[^"\\]|\\.)*"|[^\s,}}\]]+)', re.IGNORECASE)
_FORM_FIELD = re.compile(rf"\b((?:{_NAMES})=)([^&\s]+)", re.IGNORECASE)
_XML_FIELD = re.compile(rf"(<(?:\w+:)?(?:{_NAMES})(?:\s[^>]*)?>)([^<]+)", re.IGNORECASE)
_SCHEME = re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{8,}")
_DOMAIN = re.compile(r"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_LOCAL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+%-")


def _spellings(secret: str) -> set[str]:
    """The ways in which a secret can appear inside a URL, a form, JSON or XML."""
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret)}


def _shortened(text: str) -> str:
    """E-mail addresses with the first letter and the domain alone. Looks for the domain first and backwards from there:
    a pattern for the whole address would try every word of a long body."""
    pieces: list[str] = []
    done = 0
    for domain in _DOMAIN.finditer(text):
        start = domain.start()
        while start > done and text[start - 1] in _LOCAL:
            start -= 1
        if start < domain.start():
            pieces += (text[done : start + 1], MASK, domain.group())
            done = domain.end()
    return "".join((*pieces, text[done:]))


class Redactor:
    """Masks known secrets wherever they appear, and by name what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._spellings: list[str] = []
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """From now on `secret` (a fetched token, say) is masked too."""
        if len(secret) < SHORTEST_SECRET:
            return
        known = set(self._spellings) | _spellings(secret)
        self._spellings = sorted(known, key=lambda spelling: (-len(spelling), spelling))[:200]

    def text(self, text: str) -> str:
        """`text` without secrets; e-mail addresses keep their first letter and domain."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        folded = text.casefold()
        if any(stem in folded for stem in _STEMS):
            if any(end in folded for end in _JSON_ENDS):
                text = _JSON_FIELD.sub(rf'\1"{MASK}"', text)
            if any(end in folded for end in _FORM_ENDS):
                text = _FORM_FIELD.sub(rf"\1{MASK}", text)
            if "<" in text:
                text = _XML_FIELD.sub(rf"\1{MASK}", text)
        if "basic" in folded or "bearer" in folded:
            text = _SCHEME.sub(rf"\1 {MASK}", text)
        return _shortened(text)

    def body(self, body: bytes) -> str:
        """A body as the audit keeps it: redacted first, then cut, so that no secret survives at the cut."""
        text = self.text(body[: 4 * BODY_LIMIT].decode("utf-8", "replace")).replace("\x00", "\ufffd")
        if len(text) <= BODY_LIMIT and len(body) <= 4 * BODY_LIMIT:
            return text
        return f"{text[:BODY_LIMIT]}… [{len(body)} bytes in all]"
