"""The background process: nights and the post, without serving."""

import signal
import threading

import typer

from app import logs
from app.cli import database_of, tell
from app.jobs import worker_of
from app.settings import load

commands = typer.Typer()


@commands.command()
def worker() -> None:
    """Do the nightly runs and deliver alerts until told to stop; any number may run."""
    stop = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: stop.set())
    settings = load()
    logs.configure(settings.log_level.value)
    with database_of(settings) as database, worker_of(settings, database) as working:
        tell("worker.started", owner=working.owner)
        stop.wait()
    tell("worker.stopped")
