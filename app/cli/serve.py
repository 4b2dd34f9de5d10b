"""Serving: the installation itself, and the demonstration of it."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from types import FrameType
from typing import Annotated, Final

import typer
import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from app import logs
from app.api.wire import Wire
from app.cli import database_of, tell
from app.clock import system_clock
from app.garbage import collect_rarely
from app.i18n import ZONE, Language, phrase
from app.jobs import worker_of
from app.main import create_from
from app.senders.seal import Sealer
from app.settings import Environment, Settings, load
from app.store import schema
from app.store.session import Database
from app.usecases import demo as province
from app.usecases.access import Keyring
from app.web import routes, visitors
from app.web.receiver import RECEIVER_PATH, Mailbox

commands = typer.Typer()

LOOPBACK: Final = ip_network("127.0.0.1/32")
GRACE_SECONDS: Final = 15
KEEP_ALIVE_SECONDS: Final = 20

Host = Annotated[str | None, typer.Option(help="Địa chỉ nghe. / Address to listen on.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="Cổng; 0: tự chọn. / Port; 0 picks one.")
]


@commands.command()
def serve(
    host: Host = None,
    port: Port = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Số tiến trình. / Server processes.")
    ] = None,
    *,
    scheduler: Annotated[
        bool | None,
        typer.Option(help="Chạy việc hằng đêm ngay trong tiến trình này. / Nightly work inside."),
    ] = None,
) -> None:
    """Phục vụ API và trang tổng quan. / Serve the API and the pages, with the nightly work."""
    settings = _chosen(host=host, port=port, workers=workers, scheduler=scheduler)
    logs.configure(settings.log_level.value)
    with database_of(settings, is_empty_allowed=True, supervised=True) as database:
        if settings.database_url is None:
            schema.migrate(database)  # the embedded one is ours alone
        elif schema.current(database) is None:
            tell("serve.not_migrated")
            raise typer.Exit(1)
        with database.begin() as session:
            province.declare_production(session, now=system_clock())
        if settings.workers > 1:
            _serve_many(settings)
            return
        with ExitStack() as stack:
            listener = stack.enter_context(_listener(settings.host, settings.port))

            def begin() -> None:
                if settings.scheduler:
                    stack.enter_context(worker_of(settings, database))
                tell("serve.started", url=_address(listener))

            _serve(_application(settings, database), listener, begin)
    tell("serve.stopped")


@commands.command()
def demo(
    host: Host = None,
    port: Port = None,
    dossiers: Annotated[
        int,
        typer.Option(
            min=50,
            max=200_000,
            help="Số hồ sơ giả lập của lần đầu. / Made-up dossiers of the first start.",
        ),
    ] = province.DOSSIERS,
) -> None:
    """Chạy thử với một tỉnh giả lập. / A province with made-up dossiers, on this machine."""
    asked = load()
    settings = _chosen(host=host, port=port).model_copy(
        update={
            "environment": Environment.DEMO,
            "data_dir": asked.data_dir / "demo",
            "workers": 1,
            "scheduler": True,
            "webhook_allow_networks": (LOOPBACK,),
        }
    )
    if asked.database_url is not None and asked.environment is not Environment.DEMO:
        raise province.NotADemo
    logs.configure("warning")  # the banner is for a person to read
    tell("demo.preparing")
    with (
        database_of(settings, is_empty_allowed=True, supervised=True) as database,
        ExitStack() as stack,
    ):
        with database.read() as session:
            province.may_be_demo(session)
        schema.migrate(database)
        with database.read() as session:
            is_first = not province.is_told(session)
        if is_first:
            tell("demo.seeded", records=str(_tell_story(database, dossiers).sent))
        listener = stack.enter_context(_listener(settings.host, settings.port, or_any=True))
        mailbox = Mailbox()
        app = _application(settings, database, mailbox=mailbox)
        keyring = Keyring(secret=settings.applicant_key(), environment=settings.environment)
        with database.begin() as session:
            key = province.fresh_key(session, keyring, now=system_clock())

        def begin() -> None:
            with database.begin() as session:
                mailbox.trust(
                    province.receiver_secret(
                        session,
                        Sealer(settings.applicant_key()),
                        url=f"http://127.0.0.1:{_port(listener)}{RECEIVER_PATH}",
                        allowed=settings.webhook_allow_networks,
                        who=province.operator(session),
                        now=system_clock(),
                    )
                )
            _show(listener, key)
            if not is_first:
                _tell_story(database, dossiers)  # what happened since the last time
            stack.enter_context(worker_of(settings, database))

        _serve(app, listener, begin)
    tell("demo.stopped")


def _tell_story(database: Database, dossiers: int) -> province.Seeded:
    with database.begin() as session:
        return province.seed(session, now=system_clock(), dossiers=dossiers)


def asgi() -> FastAPI:
    """Return the application of one of several server processes."""
    settings = load()
    logs.configure(settings.log_level.value)
    collect_rarely()
    stack = ExitStack()
    return _application(settings, stack.enter_context(database_of(settings, is_empty_allowed=True)))


# ---------------------------------------------------------------- parts


def _chosen(**asked: object) -> Settings:
    """Return the settings with what the command line says instead.

    More than one server process goes with a worker of its own, so it switches the scheduler off.
    """
    told = {name: value for name, value in asked.items() if value is not None}
    if isinstance(told.get("workers"), int) and told["workers"] != 1:
        told["scheduler"] = False
    return Settings.model_validate(load().model_dump() | told)


def _application(
    settings: Settings, database: Database, *, mailbox: Mailbox | None = None
) -> FastAPI:
    is_demo = settings.environment is Environment.DEMO
    admission: visitors.Admission = visitors.Anybody() if is_demo else visitors.ByKey()
    routers = [routes.router_for(admission, is_demo=is_demo)]
    if mailbox is not None:
        routers.append(mailbox.router())
    return create_from(settings, database, pages=routers)


class Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, begin: Callable[[], None]) -> None:
        super().__init__(config)
        self._begin = begin

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then begin what needs a server that listens."""
        await super().startup(sockets)
        if self.started:
            await asyncio.to_thread(self._begin)


def _config(
    app: FastAPI | str, *, factory: bool = False, workers: int | None = None
) -> uvicorn.Config:
    """Return how an application is served, by one process or by several."""
    return uvicorn.Config(
        app,
        factory=factory,
        workers=workers,
        http=Wire,  # with h11 behind it, which keeps the body of a request that asks for an upgrade
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _serve(app: FastAPI, listener: socket.socket, begin: Callable[[], None]) -> None:
    """Serve until told to stop; what is open then is answered, within limits."""
    # The server raises the signal again once it has stopped; it then ends this block quietly.
    former = signal.signal(signal.SIGTERM, _interrupt)
    try:
        Server(_config(app), begin).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, former)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _serve_many(settings: Settings) -> None:
    """Serve with several processes, which share a listener of ours.

    One that uvicorn makes is not named as TCP, and answers would wait for Nagle's delay.
    """
    config = _config("app.cli.serve:asgi", factory=True, workers=settings.workers)
    with _listener(settings.host, settings.port) as listener:
        Multiprocess(config, sockets=[listener]).run()


@contextlib.contextmanager
def _listener(host: str, port: int, *, or_any: bool = False) -> Iterator[socket.socket]:
    """Hold a socket that listens, on a free port if the wished one is taken and that may be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's delay of 40 ms on in every connection.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            if not or_any:
                tell("serve.port_taken", host=host, port=str(port))
                raise typer.Exit(1) from None
            listener.bind((host, 0))
        listener.set_inheritable(True)
        yield listener


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _address(listener: socket.socket) -> str:
    host = str(listener.getsockname()[0])
    shown = "127.0.0.1" if ip_address(host).is_unspecified else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{_port(listener)}"


def _show(listener: socket.socket, key: str) -> None:
    """Print where to look and how to begin, Vietnamese first."""
    url = _address(listener)
    params = {
        "url": url,
        "receiver": url + RECEIVER_PATH,
        "key": key,
        "request": _request(url, key),
    }
    host = listener.getsockname()[0]
    codes = ["demo.banner"]
    if not ip_address(host).is_loopback:
        codes.append("demo.open_to_all")
    for language in (Language.VI, Language.EN):
        for code in codes:
            print(phrase(language, code, params), flush=True)
    sys.stdout.flush()


def _request(url: str, key: str) -> str:
    body = {
        "unit": "H44.100",
        "procedure": "1.004873",
        "channel": "online",
        "received_at": system_clock().astimezone(ZONE).isoformat("T", "seconds"),
        "status": "processing",
    }
    told = json.dumps(body)
    return (
        f"curl -X PUT {url}/v1/dossiers/HS-0001 -H 'Authorization: Bearer {key}'"
        f" -H 'Content-Type: application/json' -d '{told}'"
    )
