"""Where the goods of a sales document go: it has room for one address, the first; others stand at their lines."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ml_connector.domain.documents import HoldCode, Line, LineType
from ml_connector.domain.orders import Address
from ml_connector.planning.facts import hold
from ml_connector.planning.work import Work


def ship_to(work: Work) -> Address | None:
    """The first address that something goes to."""
    return next(iter(_places(work).values()), None)


def placed(work: Work, lines: Sequence[Line]) -> list[Line]:
    """`lines` of a sale, those that go elsewhere than the document with their address.

    Raises `Stop` (`multi_ship`) where policy asks for a person, or the ERP's documents have no room for it.
    """
    places = _places(work)
    if len({_place(address) for address in places.values()}) < 2:
        return list(lines)
    if work.policy.sales_several_addresses == "hold" or not work.form.places:
        raise _several(work, places)
    first = _place(next(iter(places.values())))
    by_line = {str(line.id): places[line.address_id] for line in work.snapshot.lines if line.address_id in places}
    return [_placed(line, by_line, first) for line in lines]


def _placed(line: Line, by_line: Mapping[str, Address], first: Address) -> Line:
    sold = line.itemised
    if sold is None or sold.type is not LineType.ITEM:
        return line
    sources = [part.key.split("/")[1] for part in line.parts if part.key.startswith("line/")]
    place = next((by_line[source] for source in sources if source in by_line), None)
    if place is None or _place(place) == first:
        return line
    return replace(line, itemised=replace(sold, ship_to=place))


def _places(work: Work) -> dict[int, Address]:
    """By its ID in the order, each address that a line goes to, in the store's order; all, where no line says."""
    known = {place.id: place.address for place in work.snapshot.addresses if place.address != Address()}
    used = {line.address_id for line in work.snapshot.lines if line.quantity}
    return {number: address for number, address in known.items() if number in used} or known


def _place(address: Address) -> Address:
    """What makes it another place: not the phone, nor how the buyer writes the name of the same city."""
    same = {name: getattr(address, name).strip().casefold() for name in _COUNTED}
    return Address(**same)


_COUNTED = ("first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip", "country_iso2")


def _several(work: Work, places: dict[int, Address]) -> Exception:
    lines = work.snapshot.lines
    goods = {
        number: ", ".join(f"{line.quantity} {line.sku or line.name}" for line in lines if line.address_id == number)
        for number in places
    }
    why = (
        "policy sales.several_addresses asks for a person"
        if work.form.places
        else "the ERP's documents have room for one address only"
    )
    return hold(
        HoldCode.MULTI_SHIP,
        f"order {work.order.id} goes to {len(places)} addresses, and {why}: split the order in the store, or enter it "
        "in the ERP by hand",
        key=str(work.order.id),
        facts={
            "order": str(work.order.id),
            "addresses": str(len(places)),
            **{f"to {_words(address)}": goods[number] for number, address in places.items()},
        },
    )


def _words(address: Address) -> str:
    return ", ".join(filter(None, (address.city, address.zip, address.state, address.country_iso2)))
