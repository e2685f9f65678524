"""Texts of documents and lines: cut to what every ledger takes, without anything that must be erasable."""

HEADER_MAX = 25
LINE_MAX = 50
ASSIGNMENT_MAX = 18


def header(text: str) -> str:
    return clean(text)[:HEADER_MAX].rstrip()


def line(text: str) -> str:
    return clean(text)[:LINE_MAX].rstrip()


def assignment(text: str) -> str:
    return text[:ASSIGNMENT_MAX]


def clean(text: str) -> str:
    """One line of printable words, without words that could be an e-mail address."""
    words = (word for word in text.split() if "@" not in word)
    return "".join(character for character in " ".join(words) if character.isprintable())
