"""`/account/second-factor`: codes from a device switched on and off. Both ask for the password once more."""

import segno
from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ml_connector.engine.access import second_factor, users
from ml_connector.engine.access.values import AccessRefused
from ml_connector.web.access.account import Field, SignedIn, account_page, confirmed
from ml_connector.web.access.pages import page
from ml_connector.web.access.parts import access_of

router = APIRouter(prefix="/account/second-factor", max_body_size=64 * 1024, include_in_schema=False)


def picture(address: str) -> Markup:
    """A QR code as SVG, without a style that the policy of our pages would refuse. Dark on light in every theme."""
    code = segno.make(address, error="m", micro=False)
    drawn = code.svg_inline(scale=4, border=4, light="#fff", svgclass="qr", title="The secret as a picture")
    return Markup(drawn)  # noqa: S704 - drawn from black and white squares


@router.post("/begin")
async def begin(request: Request, who: SignedIn, password: Field = "") -> Response:
    access = access_of(request)
    try:
        user = await confirmed(request, who, password)
        address = await second_factor.enrol(access.database, access.vault, user)
    except AccessRefused as error:
        return await account_page(request, who, 422, part="factor", said=str(error))
    return _scan(request, address)


def _scan(request: Request, address: str) -> Response:
    secret = second_factor.secret_of(address)
    spaced = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return page(request, "scan.html", picture=picture(address), secret=spaced, said="")


@router.post("/confirm")
async def confirm(request: Request, who: SignedIn, code: Field = "") -> Response:
    access = access_of(request)
    user = await users.by_id(access.database, who.id)
    assert user is not None
    try:
        codes = await second_factor.confirm(access.database, access.vault, user, code)
    except second_factor.NotBegun as error:
        return await account_page(request, who, 422, part="factor", said=str(error))
    except AccessRefused as error:
        return page(
            request, "scan.html", 422, picture="", secret="", said=str(error)
        )  # it was shown to who knew the password
    return page(request, "recovery.html", codes=codes)


@router.post("/off")
async def off(request: Request, who: SignedIn, password: Field = "", code: Field = "") -> Response:
    access = access_of(request)
    try:
        user = await confirmed(request, who, password, code)
    except AccessRefused as error:
        return await account_page(request, who, 422, part="factor", said=str(error))
    await second_factor.switch_off(access.database, access.vault, user)
    return RedirectResponse("/account?done=factor", 303)
