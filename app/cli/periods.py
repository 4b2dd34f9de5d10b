"""``periods``: close a period, list those that are closed, and verify their digests."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from app import cli
from app.clock import system_clock
from app.domain.period import Period
from app.domain.timeliness import Reading
from app.i18n import phrase
from app.rulebook.metrics import load_metrics
from app.settings import load
from app.store import access, units
from app.store import periods as kept
from app.store.periods import PeriodRow
from app.store.session import ReadSession
from app.usecases import periods
from app.usecases.periods import Wanted

commands = typer.Typer()
group = typer.Typer(no_args_is_help=True, help="Kỳ đã chốt. / Closed periods.")
commands.add_typer(group, name="periods")

DIFFERS = 1
"""The exit code when a digest does not agree."""
PAGE = 100


@group.command("list")
def list_() -> None:
    """Liệt kê các kỳ đã chốt, mới nhất trước. / List closed periods, newest first."""
    listed = False
    with cli.database_of(load()) as database, database.read() as session:
        for one in _every(session):
            listed, closing = True, one.closing
            told = closing.closed_at.isoformat(timespec="seconds")
            print(
                f"{one.id}  {closing.unit}  {closing.first}  {closing.last}  {told}"
                f"  {closing.closed_by}  {one.rows}"
            )
    if not listed:
        cli.tell("periods.none")


@group.command()
def close(
    unit: Annotated[str, typer.Argument(help="Mã đơn vị. / Code of the unit.")],
    kind: Annotated[str | None, typer.Option(help="Loại kỳ. / Kind, e.g. month-15.")] = None,
    label: Annotated[str | None, typer.Option(help="Tên kỳ. / Name, e.g. 2026-08.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Ngày đầu. / First day.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Ngày cuối. / Last day.")
    ] = None,
    reading: Annotated[
        list[Reading] | None, typer.Option(help="Cách đọc hạn trả. / Readings to be frozen.")
    ] = None,
    document: Annotated[str | None, typer.Option(help="Số văn bản. / Its document.")] = None,
) -> None:
    """Chốt số liệu một kỳ đã qua của một đơn vị. / Close a period of a unit that is over."""
    if kind is not None and label is not None and first is None and last is None:
        wanted = periods.named(kind, label)
    elif kind is None and label is None and first is not None and last is not None:
        wanted = Wanted(Period(first.date(), last.date()))
    else:
        raise typer.BadParameter(phrase(cli.language(), "period.unnamed"))
    with cli.database_of(load()) as database, database.begin() as session:
        closed = periods.close(
            session,
            units.get(session, unit),
            wanted,
            metrics=load_metrics(),
            readings=reading or [Reading.PROMISED],
            document=document,
            actor="cli",
            now=system_clock(),
        )
    cli.tell(
        "periods.closed",
        unit=unit,
        first=closed.closing.first.isoformat(),
        last=closed.closing.last.isoformat(),
        rows=str(closed.rows),
        period=str(closed.id),
        digest=closed.digest,
    )


@group.command()
def verify(
    period: Annotated[
        UUID | None, typer.Argument(help="Mã kỳ; bỏ trống là mọi kỳ. / Id; every one if absent.")
    ] = None,
) -> None:
    """Tính lại mã băm của các dòng đã lưu. / Take the digest of the kept rows again."""
    differs = looked_at = 0
    with cli.database_of(load()) as database, database.read() as session:
        for one in _every(session):
            if period not in {None, one.id}:
                continue
            looked_at += 1
            agrees = periods.verify(session, one)
            differs += not agrees
            cli.tell("periods.agrees" if agrees else "periods.differs", period=str(one.id))
    if period is not None and not looked_at:
        raise periods.PeriodUnknown(period=str(period))
    if not looked_at:
        cli.tell("periods.none")
    raise typer.Exit(DIFFERS if differs else 0)


def _every(session: ReadSession) -> Iterator[PeriodRow]:
    lft, rgt = access.WHOLE
    after = None
    while some := kept.page(session, lft=lft, rgt=rgt, after=after, limit=PAGE):
        yield from some
        after = some[-1].closing.closed_at, some[-1].id
