"""Changes an input where it matters: values of a JSON document, elements of an XML one, headers, at times bytes.

A fuzzer that flips bytes alone seldom gets past the parser; what hostile senders do is to be well-formed and wrong.
"""

import json
import random
import re
from collections.abc import Callable
from typing import Any

from lxml import etree

from fuzz.target import Form

Change = Callable[[bytes, int], bytes]
"""A mutation of bytes: data and largest size."""


class Raw(str):
    """A number or constant as it is spelled, which Python's own types would change or refuse."""

    __slots__ = ()


def loads(text: bytes | str) -> Any:
    """JSON with numbers as they are spelled. Raises `ValueError`."""
    try:
        return json.loads(text, parse_float=Raw, parse_int=Raw, parse_constant=Raw)
    except RecursionError as error:
        raise ValueError("too deep") from error


def dumps(value: Any) -> str:
    """The opposite of `loads`."""
    match value:
        case Raw():
            return str(value)
        case dict():
            return "{" + ",".join(f"{json.dumps(str(name))}:{dumps(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ",".join(map(dumps, value)) + "]"
        case _:
            return json.dumps(value)


NUMBERS = tuple(
    map(
        Raw,
        (
            *("0", "-0", "1", "-1", "2", "0.005", "-0.01", "NaN", "Infinity", "-Infinity", "1e999999", "-1e999999"),
            *("1e-999999", "1E400", "9" * 30, "-" + "9" * 30, "9" * 5000, "0." + "9" * 400, "1e18", "9007199254740993"),
            *("2147483648", "253402300800", "-62135596801", "1e28", "1.5", "99999999999999.9999"),
        ),
    )
)
TEXTS = (
    *("", " ", "0", "-1", "NaN", "sNaN", "Infinity", "1e999999", "1e-999999", "1,5", "0x10", "１２", "²", "1_000"),
    *(
        "true",
        "null",
        "\x00",
        "\ud800",
        "\ufffe",
        "\u202e",
        "é" * 40,
        "A" * 5000,
        "'",
        '"',
        "'; DROP TABLE records; --",
    ),
    *("../../etc/passwd", "<x/>", "]]>", "&lol;", "${7*7}", "{{7*7}}", "%s%n", "a\r\nSet-Cookie: x=1", "\u2028"),
    *("0000-00-00T00:00:00", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00", "/Date(9999999999999999)/"),
    *("/Date(-62135596800001)/", "Mon, 30 Feb 2026 10:00:00 +0000", "Wed, 04 Mar 0000 15:20:00 +9999"),
    *("Wed, 04 Mar 2026 15:20:00 -0000", "EUR", "JPY", "KWD", "usd", "US", "XXXX", "https://[::1", "//evil.example"),
    *("https://2130706433/", "https://127.1", "https://good.example\\@evil.example/", "[" * 20_000, '{"a":' * 20_000),
    *("store/order/metafield/", "store/order/updated", "captured", "refunded", "giftcertificate", "storecredit"),
)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": ""}, [{}], {"results": []}, {"value": []})


def mutated(form: Form, data: bytes, rng: random.Random, largest: int, change: Change) -> bytes:
    """One changed input. `change` mutates bytes; it is used now and then, and where `data` cannot be read."""
    if rng.random() < 0.1:
        return change(data, largest)
    try:
        match form:
            case "json":
                made = _json(data, rng)
            case "http":
                made = _http(data, rng)
            case "text":
                made = _text(data, rng)
    except (ValueError, RecursionError, etree.LxmlError):
        return change(data, largest)
    return made if 0 < len(made) <= largest else change(data, largest)


def flipped(rng: random.Random) -> Change:
    """Bytes changed without a fuzzer at hand."""

    def change(data: bytes, largest: int) -> bytes:
        made = bytearray(data[:largest])
        for _ in range(rng.randint(1, 4)):
            at = rng.randint(0, len(made))
            if rng.random() < 0.5:
                made[at : at + rng.randint(0, 8)] = b""
            else:
                made[at:at] = rng.choice((b"\x00", b"\xff", b'"', b"<", b"}", b"\r\n", rng.randbytes(3)))
        return bytes(made[:largest])

    return change


# ------------------------------------------------------------------ JSON

Place = tuple[Any, Any]
"""A container and the key or position in it."""


def _places(value: Any, found: list[Place]) -> list[Place]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        found.append((value, key))
        if len(found) < 5_000:
            _places(inner, found)
    return found


def _json(data: bytes, rng: random.Random) -> bytes:
    document = [loads(data)]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        _change_one(document, rng)
    return dumps(document[0]).encode("utf-8", "surrogatepass")


def _change_one(document: list[Any], rng: random.Random) -> None:
    places = _places(document, [])
    holder, key = rng.choice(places)
    old = holder[key]
    roll = rng.random()
    if roll < 0.45:
        holder[key] = _like(old, rng) if rng.random() < 0.6 else rng.choice((*NUMBERS, *TEXTS, *OTHERS))
    elif roll < 0.6:
        other, at = rng.choice(places)
        holder[key] = loads(dumps(other[at]))  # a value from somewhere else, of the wrong shape or of the right one
    elif roll < 0.75 and holder is not document:
        del holder[key]
    elif roll < 0.85 and isinstance(holder, list):
        holder[key:key] = [loads(dumps(old)) for _ in range(rng.choice((1, 1, 2, 30)))]
    elif roll < 0.9 and isinstance(old, dict | list):
        holder[key] = dumps(old)[: rng.choice((None, None, rng.randint(0, 200)))]  # as text, perhaps cut
    elif isinstance(old, str) and old:
        at = rng.randint(0, len(old))
        holder[key] = type(old)(old[:at] + old[at + rng.randint(0, 3) :])
        if isinstance(old, Raw):
            holder[key] = Raw(_number(str(old), rng))
    else:
        holder[key] = rng.choice(OTHERS)


def _like(old: Any, rng: random.Random) -> Any:
    if isinstance(old, Raw):
        return Raw(_number(str(old), rng))
    if isinstance(old, str):
        return rng.choice((rng.choice(TEXTS), old + rng.choice(TEXTS)[:50], _number(old, rng)))
    return rng.choice(OTHERS)


def _number(old: str, rng: random.Random) -> str:
    """Another number, often one close by: the cent that makes a total wrong."""
    if rng.random() < 0.5 or not re.fullmatch(r"-?\d{1,12}(\.\d{1,6})?", old):
        return str(rng.choice(NUMBERS))
    whole, _, part = old.partition(".")
    digits = str(int(whole + part) + rng.choice((-1, 1, -10, 10, 7, 100)))
    if not part:
        return digits
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    digits = digits.rjust(len(part) + 1, "0")
    return f"{sign}{digits[: -len(part)]}.{digits[-len(part) :]}"


# ------------------------------------------------------------------ XML


def _xml(data: bytes, rng: random.Random) -> bytes:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    root = etree.fromstring(data, parser)
    for _ in range(rng.choice((1, 1, 2, 4))):
        elements = [element for element in root.iter() if isinstance(element.tag, str)]
        element = rng.choice(elements)
        parent = element.getparent()
        roll = rng.random()
        if roll < 0.4:
            text = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]", "?", _like(element.text or "1", rng))
            element.text = text[:2000]
        elif roll < 0.55 and parent is not None:
            parent.remove(element)
        elif roll < 0.75 and parent is not None and len(elements) < 400:
            for _ in range(rng.choice((1, 2, 5))):
                rng.choice(elements).append(etree.fromstring(etree.tostring(element)))
        elif roll < 0.85:
            element.tag = rng.choice(elements).tag
        elif roll < 0.95:
            element.tag = element.tag.rpartition("}")[2]
        else:
            element.append(etree.Comment("c") if rng.random() < 0.5 else etree.ProcessingInstruction("p", "i"))
    made = etree.tostring(root)
    return _TYPED + made if rng.random() < 0.02 else made


_TYPED = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c SYSTEM "file:///etc/hostname">]>'
)

# ------------------------------------------------------------------ headers with a body, and text


def _http(data: bytes, rng: random.Random) -> bytes:
    head, _, body = data.partition(b"\n\n")
    if rng.random() < 0.3:
        lines = head.split(b"\n")
        at = rng.randrange(len(lines))
        name, colon, value = lines[at].partition(b": ")
        roll = rng.random()
        if roll < 0.6:
            other = str(_like(value.decode("utf-8", "replace"), rng)).encode("utf-8", "replace")
            lines[at] = name + colon + re.sub(rb"[\r\n]", b"", other)[:500]
        elif roll < 0.8:
            del lines[at]
        else:
            lines.insert(at, lines[at])
        return b"\n".join(lines) + b"\n\n" + body
    if body.lstrip().startswith(b"<"):
        return head + b"\n\n" + _xml(body, rng)
    return head + b"\n\n" + _json(body, rng)


def _text(data: bytes, rng: random.Random) -> bytes:
    lines = data.decode().split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(lines))
        roll = rng.random()
        if roll < 0.4:
            name, colon, value = lines[at].partition(": ")
            told = rng.choice(
                (*TEXTS, *NUMBERS, "&a x", "*a", "!!python/object x", "- x", "[a, b]", "{a: b}", "|", "? x")
            )
            lines[at] = f"{name}{colon}{told[:2000] if rng.random() < 0.8 else value + told[:50]}"
        elif roll < 0.55:
            del lines[at]
        elif roll < 0.7:
            lines.insert(at, rng.choice(lines) if lines else "")
        elif roll < 0.85:
            lines[at] = " " * rng.randint(0, 8) + lines[at].lstrip()
        else:
            lines[at] = rng.choice(("---", "...", "%YAML 1.1", "a: &a [*a]", "<<: *a", "a: !!binary x", "\t x", "# x"))
        if not lines:
            return b"\n"
    return "\n".join(lines).encode("utf-8", "surrogatepass")
