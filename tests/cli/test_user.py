"""`ml-connector user` as an administrator meets it."""

import asyncio
import subprocess

from tests.cli.program import PROGRAM, program

URL = "https://connector.example.com"


async def test_users_and_tokens_from_the_command_line(database_url: str) -> None:
    cli = program(database_url, ML_CONNECTOR_URL=URL)
    assert (await cli.run("user", "link", "--json")).json["link"].startswith(f"{URL}/welcome/")
    added = await cli.run("user", "add", "Ada@Example.com", "--role", "administrator")
    assert f"{URL}/welcome/" in added.out
    last = await cli.run("user", "disable", "ada@example.com")
    assert (last.status, "only administrator" in last.said) == (2, True)
    made = await cli.run("user", "token", "ada@example.com", "ci", "--role", "clerk", "--days", "7", "--json")
    assert made.json["token"].startswith("mlc_")
    (listed,) = (await cli.run("user", "tokens", "--json")).json
    assert (listed["name"], listed["role"], listed["valid"]) == ("ci", "clerk", True)
    assert (await cli.run("user", "revoke", "ci")).status == 0
    audit = (await cli.run("audit", "--kind", "access", "--json")).out
    assert "token_revoked" in audit
    assert made.json["token"] not in audit


async def test_a_password_comes_from_standard_input(database_url: str) -> None:
    cli = program(database_url)
    await cli.run("user", "add", "dana", "--role", "clerk")

    async def password(given: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "user", "password", "dana", env=dict(cli.environment),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate(given.encode())
        return process.returncode or 0, (out + err).decode()

    status, said = await password("short\n")
    assert (status, "12 characters" in said) == (2, True)
    assert (await password("seven green lanterns\n"))[0] == 0
    (dana,) = (await cli.run("user", "list", "--json")).json
    assert dana["state"] == "active"
