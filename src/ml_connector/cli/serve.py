"""`ml-connector serve`: webhook intake, health and metrics, and on request the work too."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer
from fastapi import FastAPI

from ml_connector.cli.exits import CliError
from ml_connector.cli.output import JsonOption, Output
from ml_connector.cli.run import run
from ml_connector.cli.worker import scheduling, worker_of
from ml_connector.cli.working import Working, working
from ml_connector.engine import logs
from ml_connector.engine.access import links
from ml_connector.engine.actor import WORKER, acting
from ml_connector.engine.worker import Pace
from ml_connector.web.access import Settings
from ml_connector.web.access.settings import UnusableSetting
from ml_connector.web.access.single_settings import UnusableSingleSignOn
from ml_connector.web.app import Parts, build
from ml_connector.web.server import Listen, serve


def command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file; without it a reverse proxy speaks TLS for us.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    with_worker: Annotated[bool, typer.Option("--worker", help="Do the work in this process too.")] = False,
    json: JsonOption = False,
) -> None:
    """Receive webhooks at /hooks/CONNECTION; answer /healthz, /readyz and /metrics. Until SIGTERM or Ctrl-C."""
    out = Output(json=json)

    async def work() -> None:
        logs.configure(json=True if json else None)
        settings = settings_of_environment()
        with acting(WORKER):  # what nobody signed in for was not done by who started the process
            async with working("serve") as engine:
                here = f"{'https' if certificate else 'http'}://{host}:{port}"
                out.say(f"Listening on {here}")
                if link := await links.first_link(engine.home.database):
                    out.say("Nobody can sign in yet. Become the administrator, within a day and once, at")
                    out.say(f"  {settings.public_url or here}/welcome/{link}")
                await _serve(engine, Listen(host, port, certificate, key), settings, with_worker=with_worker)

    run(out, work)


async def _serve(engine: Working, listen: Listen, settings: Settings, *, with_worker: bool) -> None:
    app = build(Parts(engine.runtime, settings))
    if not with_worker:
        await _until_stopped(app, listen)
        return
    worker = worker_of(engine, Pace())
    async with scheduling(engine), asyncio.TaskGroup() as group:
        working_on = group.create_task(worker.run())
        try:
            await _until_stopped(app, listen)
        finally:
            worker.stop()
        await working_on


def settings_of_environment() -> Settings:
    """How this process is reached. Raises `CliError`."""
    try:
        return Settings.of(os.environ)
    except (UnusableSetting, UnusableSingleSignOn) as error:
        raise CliError(str(error)) from None


async def _until_stopped(app: FastAPI, listen: Listen) -> None:
    if not await serve(app, listen):
        raise CliError(f"Cannot listen on {listen.host}:{listen.port}: choose another --port, or stop who uses it.")
