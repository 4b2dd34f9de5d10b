"""Write declared numbers of many units on their sheets: from a file, or from the registers."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli import AsJson, database_of, language, tell
from app.clock import system_clock
from app.domain.assessment import read_period
from app.i18n import phrase
from app.settings import load
from app.store import units
from app.usecases import filling
from app.usecases.access import OPERATOR
from app.usecases.filling import Filled

commands = typer.Typer()

Period = Annotated[str, typer.Option(help="Kỳ: 2026, 2026-Q1, 2026-08. / The period.")]
RuleSet = Annotated[str, typer.Option("--rule-set", help="Bộ tiêu chí. / The rule set.")]


@commands.command("inputs")
def inputs(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, .xlsx, .xls.")],
    rule_set: RuleSet,
    period: Period,
    author: Annotated[str | None, typer.Option(help="Người khai. / Who declares.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Trang tính. / Sheet.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Nhập số liệu tự khai của nhiều đơn vị từ tệp. / Take declared numbers from a file.

    Columns: Mã đơn vị, Mã số liệu, Giá trị, Ghi chú; one number a row.
    """
    with database_of(load()) as database, database.begin() as session:
        done = filling.from_file(
            session,
            rule_set,
            read_period(period),
            file.read_bytes(),
            who=OPERATOR,
            now=system_clock(),
            author=author,
            sheet=sheet,
        )
    report(done, as_json=as_json)


@commands.command("fill")
def fill(rule_set: RuleSet, period: Period, unit: str, *, as_json: AsJson = False) -> None:
    """Ghi số đếm của các sổ vào phiếu chấm của đơn vị và bên dưới. / Fill sheets from registers."""
    with database_of(load()) as database, database.begin() as session:
        done = filling.from_registers(
            session,
            rule_set,
            read_period(period),
            root=units.get(session, unit),
            who=OPERATOR,
            now=system_clock(),
        )
    report(done, as_json=as_json)


def report(done: Filled, *, as_json: bool) -> None:
    """Say what was written, and the reasons of what could not be."""
    refused = [
        (
            place,
            [f"{one.pointer} {phrase(language(), one.code, one.params)}".strip() for one in faults],
        )
        for place, faults in done.refused
    ]
    if as_json:
        told = [{"place": place, "reasons": reasons} for place, reasons in refused]
        print(json.dumps({"changed": done.changed, "refused": told}, ensure_ascii=False))
        return
    for place, reasons in refused:
        print(f"{place}: {'; '.join(reasons)}")
    numbers = {"numbers": sum(done.changed.values()), "units": len(done.changed)}
    counts = {name: str(number) for name, number in numbers.items()}
    tell("filling.done", refused=str(len(refused)), **counts)
