"""Keys of source systems: make, list, revoke, rotate."""

import json
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.cli import AsJson, database_of, language, tell
from app.clock import system_clock
from app.i18n import phrase
from app.settings import Settings, load
from app.store.access import KeyRow
from app.usecases import access
from app.usecases.access import Keyring, NewKey

commands = typer.Typer()
keys = typer.Typer(no_args_is_help=True, help="Khóa truy cập của phần mềm. / Keys of senders.")
commands.add_typer(keys, name="keys")

ACTOR = "operator"
WHOLE = "*"
Days = Annotated[
    int | None,
    typer.Option("--days", min=1, help="Hết hạn sau bấy nhiêu ngày. / Expires after these days."),
]


@keys.command()
def create(
    name: Annotated[str, typer.Option(help="Tên dễ nhớ. / A name to know it by.")],
    source: Annotated[str, typer.Option(help="Mã phần mềm nguồn. / Code of the source system.")],
    unit: Annotated[str, typer.Option(help="Mã đơn vị, hoặc '*'. / Root of its units, or '*'.")],
    scopes: Annotated[str, typer.Option(help="Các quyền, cách nhau bằng dấu phẩy. / Scopes.")],
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Tạo khóa và in ra một lần duy nhất. / Make a key and show it once."""
    settings, now = load(), system_clock()
    with database_of(settings) as database, database.begin() as session:
        made = access.issue_key(
            session,
            keyring_of(settings),
            name=name,
            source=source,
            unit=None if unit == WHOLE else unit,
            scopes=[scope.strip() for scope in scopes.split(",") if scope.strip()],
            actor=ACTOR,
            now=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
    show(made, as_json=as_json)


@keys.command("list")
def list_(as_json: AsJson = False) -> None:
    """Liệt kê các khóa, không có phần bí mật. / List keys, without their secrets."""
    now = system_clock()
    with database_of(load()) as database, database.read() as session:
        rows = access.list_keys(session)
    if as_json:
        print(json.dumps([plain(row, now) for row in rows], ensure_ascii=False))
    elif not rows:
        tell("access.keys_none")
    else:
        Console().print(table(rows, now))


@keys.command()
def revoke(prefix: str) -> None:
    """Thu hồi một khóa ngay lập tức. / End a key now."""
    settings = load()
    with database_of(settings) as database, database.begin() as session:
        done = access.revoke_key(
            session, keyring_of(settings), prefix, actor=ACTOR, now=system_clock()
        )
    tell("access.key_revoked" if done else "access.key_was_revoked", prefix=prefix)


@keys.command()
def rotate(
    prefix: str,
    overlap_hours: Annotated[
        int, typer.Option(min=0, help="Khóa cũ còn dùng được bấy nhiêu giờ. / Overlap in hours.")
    ] = 72,
    days: Days = None,
    as_json: AsJson = False,
) -> None:
    """Cấp khóa thay thế; khóa cũ còn dùng một thời gian. / Replace a key, with an overlap."""
    settings, now = load(), system_clock()
    with database_of(settings) as database, database.begin() as session:
        made = access.rotate_key(
            session,
            keyring_of(settings),
            prefix,
            overlap=timedelta(hours=overlap_hours),
            actor=ACTOR,
            now=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
    show(made, as_json=as_json)


def keyring_of(settings: Settings) -> Keyring:
    """Return what makes and checks the keys of this installation."""
    return Keyring(secret=settings.applicant_key(), environment=settings.environment.value)


def show(made: NewKey, *, as_json: bool) -> None:
    """Print a new key, the one time that it can be seen."""
    if as_json:
        told = {
            "key": made.key,
            "prefix": made.prefix,
            "source": made.source,
            "unit": made.unit or WHOLE,
            "scopes": list(made.scopes),
            "expires_at": _iso(made.expires_at),
        }
        print(json.dumps(told, ensure_ascii=False))
    else:
        tell("access.key_made", prefix=made.prefix)
        print(made.key)


def plain(row: KeyRow, now: datetime) -> dict[str, object]:
    """Return a key as JSON, without its digest."""
    return {
        "prefix": row.prefix,
        "name": row.name,
        "source": row.source_code,
        "unit": row.unit_code or WHOLE,
        "scopes": list(row.scopes),
        "state": state_of(row, now),
        "created_at": _iso(row.created_at),
        "expires_at": _iso(row.expires_at),
        "last_used_at": _iso(row.last_used_at),
    }


def state_of(row: KeyRow, now: datetime) -> str:
    """Return whether a key is live, expired or revoked."""
    if row.revoked_at is not None:
        return "revoked"
    return "live" if access.is_live(row, now=now) else "expired"


def table(rows: tuple[KeyRow, ...], now: datetime) -> Table:
    """Return keys as a table for a person."""
    shown = Table()
    for column in ("prefix", "name", "source", "unit", "scopes", "state", "last_used"):
        shown.add_column(phrase(language(), f"access.column.{column}"), no_wrap=column == "prefix")
    for row in rows:
        shown.add_row(
            row.prefix,
            row.name,
            row.source_code,
            row.unit_code or WHOLE,
            " ".join(row.scopes),
            phrase(language(), f"access.state.{state_of(row, now)}"),
            "" if row.last_used_at is None else f"{row.last_used_at:%Y-%m-%d %H:%M}Z",
        )
    return shown


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
