"""`alerts`: rules and channels as a file, and what they say."""

from pathlib import Path

from tests.cli.program import program
from tests.config.examples import EXAMPLE

FILE = """
channels:
  chat:
    url: {env: CHAT}
    quiet: {from: "22:00", to: "07:00", zone: America/Chicago}
rules:
  - {name: late, kind: late, over: 600, for_s: 300, flow: orders, channels: [chat]}
  - {name: sums, kind: holds_sum, over: 5000, integration: us-store}
"""


async def test_rules_and_channels_are_set_by_a_file(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(FILE)
    cli = program(database_url, CHAT="jsons://chat.example/a-token-of-some-length")
    assert (await cli.run("config", "apply", str(EXAMPLE))).status == 0
    applied = await cli.run("alerts", "apply", str(file))
    assert applied.status == 0, applied.said
    shown = await cli.run("alerts", "list", "--json")
    assert shown.status == 0
    assert "a-token" not in shown.out
    rules = {each["name"]: each for each in shown.json["rules"]}
    assert (rules["late"]["over"], rules["late"]["channels"]) == (600, ["chat"])
    assert rules["breaker open"]["kind"] == "breaker"

    again = tmp_path / "again.yaml"
    again.write_text((await cli.run("alerts", "export")).out)
    assert (await cli.run("alerts", "apply", str(again))).status == 0
    assert (await cli.run("alerts", "list", "--json")).json["rules"] == shown.json["rules"]

    assert (await cli.run("alerts", "mute", "late", "--for", "5")).status == 0
    assert "No rule is called 'nix'" in (await cli.run("alerts", "mute", "nix")).said
    file.write_text(FILE.replace("kind: late", "kind: nix"))
    wrong = await cli.run("alerts", "apply", str(file))
    assert wrong.status == 2
    assert "'nix' is no kind of rule" in wrong.said
    untested = await cli.run("alerts", "test", "nix")
    assert (untested.status, "there is: chat" in untested.said) == (2, True)
