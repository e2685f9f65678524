"""The secrets that this process has seen, and how they are kept out of what it writes down.

The vault and the token store tell every value that they open or seal; audit and logs mask these values in any
spelling that a URL, JSON or XML may give them. The HTTP layer redacts by itself; this is the second net.
"""

import html
import json
import re
from functools import lru_cache
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 4
"""A shorter secret would blank ordinary text everywhere and protects nothing."""

_WHOLE_WORD_BELOW = 8
_KEY_LINE = 32  # a line of a key file, which may be quoted by itself
_KEPT = 2_000
"""Values that are remembered; the oldest go first (renewed tokens of a long-running process)."""

_FEW = 64
"""Up to so many spellings, looking for each as it is takes less time than the pattern, and most texts hold none."""

_NAMES = re.compile(
    r"password|passwd|secret|api_?key|private_?key|authorization|cookie|credential|assertion|signature"
    r"|(?:access|refresh|id|auth|csrf|session|bearer|x-auth|client)[-_]?token|^token$|dsn|database_url",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def looks_secret(name: str) -> bool:
    """Whether a field of that name holds something that must not be written down."""
    return _NAMES.search(name) is not None


class KnownSecrets:
    """Values to mask. Its own text says only how many there are."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}
        self._pattern: re.Pattern[str] | None = None
        self._plain: tuple[str, ...] | None = None
        self._shortest = 0
        self._stale = False

    def __repr__(self) -> str:
        return f"KnownSecrets({len(self._values)} values)"

    def add(self, value: str) -> None:
        """From now on `value` is masked. Idempotent and cheap."""
        value = value.strip()
        if len(value) < SHORTEST or value in self._values:
            return
        lines = value.splitlines()
        for part in [value, *(line for line in lines if len(line) >= _KEY_LINE)] if len(lines) > 1 else [value]:
            self._values[part] = None
        while len(self._values) > _KEPT:
            del self._values[next(iter(self._values))]
        self._stale = True

    def mask(self, text: str) -> str:
        """`text` without any known secret."""
        if self._stale:
            self._compile()
        if self._pattern is None or len(text) < self._shortest:
            return text
        if self._plain is not None:
            for spelling in self._plain:
                if spelling in text:
                    break
            else:
                return text
        return self._pattern.sub(MASK, text)

    def _compile(self) -> None:
        parts: set[str] = set()
        plain: set[str] = set()
        for value in self._values:
            for spelling in _spellings(value):
                plain.add(spelling)
                pattern = re.escape(spelling)
                # "1710" is a password somewhere and a company code everywhere: whole words only.
                parts.add(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])" if len(value) < _WHOLE_WORD_BELOW else pattern)
        self._pattern = re.compile("|".join(sorted(parts, key=lambda part: (-len(part), part)))) if parts else None
        self._plain = tuple(plain) if len(plain) <= _FEW else None
        self._shortest = min(map(len, plain), default=0)
        self._stale = False


def _spellings(value: str) -> set[str]:
    return {
        value,
        quote(value, safe=""),
        quote_plus(value),
        html.escape(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }


known_secrets = KnownSecrets()
"""Of this process."""
