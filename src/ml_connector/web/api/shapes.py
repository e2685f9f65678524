"""Shapes that several resources share: amounts, words without NUL, moments that the database can hold."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

PAGE = 50
LARGEST_PAGE = 200
KEYS_AT_ONCE = 1_000

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Words = Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")]
Typed = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
FlowName = Annotated[str, Field(max_length=40, pattern=r"^[a-z_]+$", examples=["orders"])]
Cursor = Annotated[
    str, Field(max_length=600, description="`next` of the page before; left out or empty: the first page.")
]
Limit = Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="Rows of a page.")]
Keys = Annotated[list[Name], Field(min_length=1, max_length=KEYS_AT_ONCE, examples=[["1042", "1043"]])]


def _in_reach(moment: datetime) -> datetime:
    if not 1970 <= moment.year <= 2200:
        raise ValueError("give a moment between the years 1970 and 2200")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_reach)]
"""With its offset, as in `2026-11-20T00:00:00Z`."""


class Amount(BaseModel):
    """Money: a decimal number as text, never rounded, and its currency."""

    value: str = Field(examples=["118.00"])
    currency: str = Field(examples=["EUR"], description="ISO 4217.")


def amount(value: Decimal | None, currency: str | None) -> Amount | None:
    """None without both."""
    return Amount(value=f"{value:f}", currency=currency) if value is not None and currency else None


def amounts(sums: Mapping[str, Decimal]) -> list[Amount]:
    """One for each currency, by its code."""
    return [Amount(value=f"{value:f}", currency=currency) for currency, value in sorted(sums.items())]
