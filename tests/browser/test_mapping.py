"""The mapping in a real browser: what is missing is added from the ERP's list, tried, saved, and what waited goes."""

from typing import Any

from playwright.async_api import Page

from ml_connector.domain.access import Role
from tests.browser.test_plan import looked_at
from tests.browser.test_plan import pages as pages
from tests.e2e.scene import Scene
from tests.web.selling import parts as parts
from tests.web.selling import scene as scene
from tests.web.selling import serve, still
from tests.web.selling import world as world
from tests.web.serving import Served

EVERYWHERE = [("light", "desk"), ("light", "phone"), ("dark", "desk"), ("dark", "phone")]


def without_revenue(content: Any) -> None:
    """Orders are held for one account."""
    still(content)
    for entry in content["integrations"].values():
        del entry["mapping"]["accounts"]["revenue"]


async def test_what_is_missing_is_added_from_the_erps_list_tried_and_saved(
    scene: Scene, parts: Served, pages: dict[Role, Page]
) -> None:
    scene.configure(without_revenue)
    serve(scene)
    order = scene.place("paid")
    scene.command("sync", "us-store", str(order))
    worker = scene.worker()
    assert scene.held(order).kind == "unmapped"
    worker.stop()

    clerk = pages[Role.clerk]
    await clerk.goto(f"{parts.url}/mapping")
    await clerk.wait_for_selector("h1:has-text('One entry is missing')")
    await looked_at(clerk, "mapping")
    await clerk.click("text=Add it")
    await clerk.click("[name='typed.value']")
    await clerk.keyboard.type("4100")
    await clerk.wait_for_selector("[role=option]")
    await clerk.wait_for_selector("li:has-text(' of ')")
    await clerk.keyboard.press("ArrowDown")
    await clerk.keyboard.press("Enter")
    chosen = await clerk.input_value("[name='c.value']")
    assert chosen
    await looked_at(clerk, "mapping_form")
    await clerk.click("text=Keep in the draft")
    await clerk.wait_for_selector("text=1 change, 1 record released")
    assert scene.held(order).kind == "unmapped"  # nobody but the clerk has that account
    await clerk.click("text=Review and save…")
    await clerk.click("text=See what would differ")
    await clerk.wait_for_selector("text=1 waiting order would be booked")
    await clerk.click("#consequences summary")
    await clerk.wait_for_selector(f"#consequences td:has-text('{chosen}')")
    await looked_at(clerk, "mapping_review", EVERYWHERE)
    await clerk.fill("#comment", "The shop opened without it")
    await clerk.click("text=Save and release 1 record")
    await clerk.wait_for_selector("text=1 record is released")
    scene.worker()
    scene.posted(order)

    await clerk.goto(f"{parts.url}/mapping/versions")
    await clerk.wait_for_selector("text=The shop opened without it")
    await looked_at(clerk, "mapping_versions", [("dark", "phone")])
    operator = pages[Role.operator]
    await operator.goto(f"{parts.url}/mapping/policy?key=closed_period")
    await looked_at(operator, "mapping_policy")
    await operator.check("input[value=first_open_day]")
    await operator.click("text=Keep in the draft")
    await operator.wait_for_selector(".draft-bar:has-text('1 change')")
    await looked_at(operator, "mapping_draft")
    await operator.click("text=Discard")
    await operator.wait_for_selector("text=Your changes are discarded")
