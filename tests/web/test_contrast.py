"""Every colour of the console can be read on every ground that it stands on, in both themes (WCAG 2.2, AA).

Colours come from the tokens, uses from the style files: a token that is new, or a colour that is no token, turns this
red until it is said here what it is for.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import pytest

from ml_connector.web.console import frame

STYLE = Path(frame.__file__).parent / "style"
THEMES = ("light", "dark")
TEXT = 4.5
GRAPHICS = 3.0
"""Edges of controls, focus, shapes and lines that mean something."""

PLAIN = {"bg", "bg-side", "bg-sunk", "bg-raised", "bg-hover", "bg-active", "accent-soft"}
SOFT = {f"{status}-soft": status for status in ("ok", "wait", "run", "hold", "dead", "unsure", "out")}
GROUNDS = PLAIN | set(SOFT) | {"mark-soft", "added", "removed"}
INKS = {"ink", "ink-2", "ink-3"}
COLOURED = {"accent", *SOFT.values()}
DECORATION = {"line", "line-strong"}
"""They part what is told apart by something else too."""

FILLED = {("ink-on-accent", "accent-fill"), ("ink-on-accent", "accent-fill-hover"), ("bg", "ink")}

_TOKEN = re.compile(r"--([a-z0-9-]+):\s*(?:light-dark\((#\w+),\s*(#\w+)\)|(#\w{3,8}))\s*;")
_USE = re.compile(r"var\(--([a-z0-9-]+)\)")


def written() -> str:
    """All style without its comments."""
    return re.sub(r"/\*.*?\*/", "", "\n".join(each.read_text() for each in sorted(STYLE.glob("*.css"))), flags=re.S)


def tokens() -> Mapping[str, tuple[str, str]]:
    """Name -> colour in light and in dark."""
    found = {name: (light or one, dark or one) for name, light, dark, one in _TOKEN.findall(written())}
    assert len(found) > 30, "the tokens are written in a way that this test does not read"
    return found


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2): 0 black, 1 white."""
    assert len(colour) == 7, f"{colour}: write a colour with six digits and no transparency"
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def pairings() -> set[tuple[str, str, float]]:
    """(what stands there, on which ground, how much contrast it needs)."""
    found = {(ink, ground, TEXT) for ink, ground in product(INKS | COLOURED, PLAIN)}
    found |= {(status, ground, TEXT) for ground, status in SOFT.items()}
    found |= {(ink, ground, TEXT) for ink, ground in product(INKS - {"ink-3"}, GROUNDS - PLAIN)}
    found |= {("ok", "added", TEXT), ("dead", "removed", TEXT)}
    found |= {(ink, ground, TEXT) for ink, ground in FILLED}
    found |= {("line-field", ground, GRAPHICS) for ground in PLAIN - {"bg-active", "accent-soft"}}
    found |= {("accent", ground, GRAPHICS) for ground in GROUNDS}
    found |= {(ink, ground, TEXT) for ink, ground in used_together()}
    return found


def used_together() -> Iterator[tuple[str, str]]:
    """Text and ground that one rule sets."""
    for declared in rules(written()):
        ink, ground = declared.get("color", ""), declared.get("background", "") or declared.get("background-color", "")
        for (one,), (other,) in product(_found(ink), _found(ground)):
            yield one, other


def rules(style: str) -> Iterator[dict[str, str]]:
    """The declarations of each rule by themselves; rules stand in each other."""
    open_ones: list[dict[str, str]] = [{}]
    for text, end in re.findall(r"([^{};]*)([{};]|$)", style):
        name, colon, value = text.partition(":")
        if end != "{" and colon:
            open_ones[-1][name.strip()] = value.strip()
        if end == "{":
            open_ones.append({})
        elif end == "}":
            yield open_ones.pop()


def _found(value: str) -> list[tuple[str]]:
    return [(name,) for name in _USE.findall(value)][:1]


@pytest.mark.parametrize("theme", THEMES)
def test_everything_can_be_read(theme: str) -> None:
    of, colours = THEMES.index(theme), tokens()
    short = {
        f"{ink} on {ground}: {found:.2f}, needs {need}"
        for ink, ground, need in pairings()
        if (found := contrast(colours[ink][of], colours[ground][of])) < need
    }
    assert not short


def test_no_colour_is_written_beside_the_tokens() -> None:
    beside = {
        f"{each.name}: {found}"
        for each in sorted(STYLE.glob("*.css"))
        for found in re.findall(r"(?<![\w&%])#[0-9a-fA-F]{3,8}\b(?!-)", each.read_text())
        if not each.name.startswith("01-")
    }
    assert not beside, "make a token of it, and say in this test what stands on it"


def test_every_token_in_use_is_one_that_this_test_knows() -> None:
    style = written()
    inks = set(re.findall(r"(?<![\w-])color:\s*var\(--([a-z0-9-]+)\)", style))
    assert inks <= INKS | COLOURED | {"ink-on-accent", "bg"}
    grounds = {name for value in re.findall(r"background(?:-color)?:([^;}]*)", style) for name in _USE.findall(value)}
    shown = GROUNDS | {"accent-fill", "accent-fill-hover"} | INKS | COLOURED
    assert grounds <= shown | DECORATION | {"line-field", "veil"}
    assert (inks | grounds) <= set(tokens())


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48
    assert round(contrast("#ffffff", "#767676"), 2) == 4.54
