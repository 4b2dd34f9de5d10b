"""Take the registers of publications and petitions from files."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli import AsJson, database_of, language, tell
from app.clock import system_clock
from app.i18n import ZONE, phrase
from app.settings import load
from app.store import access, units
from app.store.registers import Register
from app.usecases import registers
from app.usecases.catalogue import Change
from app.usecases.registers import Taken, Teller
from app.usecases.subtree import Subtree

commands = typer.Typer()

ACTOR = "operator"


@commands.command("register")
def register(
    which: Annotated[Register, typer.Argument(help="publication / petition.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, .xlsx, .xls.")],
    unit: Annotated[
        str | None, typer.Option(help="Chỉ nhận đơn vị này và bên dưới. / Only units below.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Trang tính. / Sheet.")] = None,
    as_json: AsJson = False,
) -> None:
    """Nhập sổ công khai thủ tục hoặc sổ phản ánh từ tệp. / Take a register from a file."""
    now = system_clock()
    with database_of(load()) as database, database.begin() as session:
        row = None if unit is None else units.get(session, unit)
        within = Subtree(*access.WHOLE) if row is None else Subtree(row.lft, row.rgt)
        by = Teller(ACTOR, within, now, now.astimezone(ZONE).date())
        taken = registers.take_file(session, which, file.read_bytes(), by=by, sheet=sheet)
    report(taken, as_json=as_json)


def report(taken: Taken, *, as_json: bool) -> None:
    """Say what became of a file, with the reason of each row that was refused."""
    numbers = {change.value: taken.changes.get(change, 0) for change in Change}
    refused = [
        (number, [phrase(language(), fault.code, fault.params) for fault in faults])
        for number, faults in taken.refused
    ]
    if as_json:
        told = [{"row": number, "reasons": reasons} for number, reasons in refused]
        found = {**numbers, "refused": told, "unread": list(taken.unread)}
        print(json.dumps(found, ensure_ascii=False))
        return
    for number, reasons in refused:
        print(f"{number}: {'; '.join(reasons)}")
    if taken.unread:
        tell("sheet.unread", columns=", ".join(taken.unread))
    tell("sheet.taken", refused=str(len(refused)), **{k: str(n) for k, n in numbers.items()})
