"""Scores by command: lint a rule set, type in an annex, show a sheet, rank the units."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from app.cli import EXIT_CODES, AsJson, database_of, language, tell
from app.clock import system_clock
from app.domain.assessment import read_period
from app.domain.errors import Invalid
from app.domain.lint import Finding, Severity
from app.domain.rounding import plain
from app.domain.rule_set import RuleSet
from app.i18n import Language, phrase
from app.rulebook import annex as annexes
from app.rulebook.annex import Decision
from app.rulebook.rule_sets import INDEX_FOLDER
from app.settings import load
from app.store.session import ReadSession
from app.usecases import rule_sets, scoreboard, scorecards, subtree
from app.usecases.access import Principal, operator

commands = typer.Typer()
score = typer.Typer(no_args_is_help=True, help="Chấm điểm chỉ số. / Scores of the index.")
commands.add_typer(score, name="score")

TEMPLATE: Final = INDEX_FOLDER / "par-tthc-template.yaml"
FAULTY: Final = EXIT_CODES[Invalid]
Unit = Annotated[str | None, typer.Option(help="Đơn vị. / Unit.")]
PeriodTold = Annotated[str, typer.Option(help="Kỳ: 2026, 2026-Q1, 2026-08. / Period.")]
Id = Annotated[str, typer.Argument(help="Mã bộ tiêu chí. / Id of the rule set.")]


@score.command()
def lint(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Tệp YAML. / File.")],
) -> None:
    """Nêu mọi lỗi và cảnh báo của một bộ tiêu chí. / Say all that is wrong with a rule set."""
    _, findings = rule_sets.lint(path.read_text(encoding="utf-8"))
    _tell_findings(findings)
    if _is_faulty(findings):
        raise typer.Exit(FAULTY)
    tell("score.lint_passed", file=path.name)


@score.command()
def annex(
    path: Annotated[
        Path | None,
        typer.Argument(dir_okay=False, help="Tệp YAML; để trống: hỏi từng số. / File, else ask."),
    ] = None,
    unit: Unit = None,
    save: Annotated[bool, typer.Option("--save", help="Lưu vào hệ thống. / Store it.")] = False,
    output: Annotated[Path | None, typer.Option(help="Ghi ra tệp. / Write to a file.")] = None,
    replaces: Annotated[int | None, typer.Option(help="Phiên bản được sửa. / Mends.")] = None,
    person: Annotated[
        str | None, typer.Option(help="Người đã đối chiếu mọi số. / Who compared each number.")
    ] = None,
) -> None:
    """Nhập phụ lục chỉ số của tỉnh: từ tệp, hoặc hỏi từng con số. / Type in a province's annex.

    Without --save nothing is stored. With --person every number is confirmed by that name.
    """
    asked = None if path is not None else _ask_decision()
    text = path.read_text(encoding="utf-8") if path is not None else _typed(asked)
    if output is not None:
        output.write_text(text, encoding="utf-8")
    rule_set, findings = rule_sets.lint(text)
    _tell_findings(findings)
    if rule_set is None or _is_faulty(findings):
        raise typer.Exit(FAULTY)
    if not save:
        tell("score.annex_checked", rule_set=rule_set.id)
        return
    _store(rule_set, text, unit=unit, replaces=replaces, person=person)


@score.command()
def show(
    rule_set: Id,
    unit: Unit = None,
    period: Annotated[str | None, typer.Option(help="Kỳ đánh giá. / Period.")] = None,
) -> None:
    """In một bộ tiêu chí, hoặc phiếu của một đơn vị. / Print a rule set, or a unit's sheet."""
    now = system_clock()
    with database_of(load()) as database, database.read() as session:
        who = operator(None)
        if unit is None or period is None:
            versions = rule_sets.seen(session, rule_set, who=who)
            found = rule_sets.pick(versions, day=None, number=None)
            rows = rule_sets.confirmations(session, rule_set)
            left = [one for one in rule_sets.confirmed(found, rows, who.lft) if one.by is None]
            tell("score.shown", rule_set=rule_set, version=str(found.number))
            Console().print(_lines_table(found.rule_set))
            if not found.rule_set.provenance.confirmed and left:
                tell("score.unconfirmed", count=str(len(left)))
            return
        asked = scorecards.ask(session, rule_set, read_period(period), who=who, now=now)
        one = scorecards.one(session, asked, unit, who=who)
        rows = rule_sets.confirmations(session, rule_set)
        is_confirmed = rule_sets.is_confirmed(asked.version, rows, one.row.lft)
    card = one.assessed.card
    table = _table("line", "score", "max", "lost", "branch")
    for leaf in card.leaves:
        title = leaf.leaf.title.vi if language() is Language.VI else leaf.leaf.title.en
        branch = phrase(language(), leaf.branch.code, leaf.branch.params).strip()
        row = (title, plain(leaf.points), plain(leaf.max), plain(leaf.lost), branch)
        table.add_row(*row)
    Console().print(table)
    total = card.printed or "–"
    tell("score.total", unit=unit, total=total, max=plain(card.max), label=card.label or "–")
    if not is_confirmed:
        tell("template.unconfirmed")


@score.command()
def run(
    rule_set: Id,
    period: PeriodTold,
    unit: Unit = None,
    as_json: AsJson = False,
) -> None:
    """Chấm và xếp hạng mọi đơn vị. / Score and rank every unit."""
    with database_of(load()) as database, database.read() as session:
        who = operator(None)
        days = read_period(period)
        asked = scorecards.ask(session, rule_set, days, who=who, now=system_clock())
        root = None if unit is None else subtree.unit_of(session, who, unit)
        board = scoreboard.board(session, asked, root=root, who=who)
    if as_json:
        print(json.dumps([_plain_line(line) for line in board.lines], ensure_ascii=False))
        return
    table = _table("place", "unit", "name", "total", "class", "status")
    for line in board.lines:
        place = "–" if line.place is None else str(line.place.place)
        total, label = line.total or "–", line.label or "–"
        table.add_row(place, line.unit, line.name, total, label, line.status.value)
    Console().print(table)


def _plain_line(line: scoreboard.Line) -> dict[str, object]:
    return {
        "unit": line.unit,
        "level": line.level.value,
        "parent": line.parent,
        "status": line.status.value,
        "total": line.total,
        "max": line.max,
        "class": line.label,
        "place": None if line.place is None else line.place.place,
    }


# ---------------------------------------------------------------- typing in


def _ask_decision() -> Decision:
    return Decision(
        identifier=typer.prompt(phrase(language(), "score.ask.id")),
        title_vi=typer.prompt(phrase(language(), "score.ask.title_vi")),
        title_en=typer.prompt(phrase(language(), "score.ask.title_en")),
        document=typer.prompt(phrase(language(), "score.ask.document")),
        valid_from=_ask_day(),
    )


def _ask_day() -> date:
    while True:
        told = typer.prompt(phrase(language(), "score.ask.valid_from"))
        try:
            return date.fromisoformat(str(told).strip())
        except ValueError:
            tell("rulebook.not_a_day")


def _typed(decision: Decision | None) -> str:
    """Ask for each number of the template; Enter keeps what stands there."""
    template = TEMPLATE.read_text(encoding="utf-8")
    answers = {
        one.path: annexes.typed(str(typer.prompt(one.path, default=one.value)))
        for one in annexes.questions(template)
    }
    return template if decision is None else annexes.filled(template, decision, answers)


def _store(
    rule_set: RuleSet, text: str, *, unit: str | None, replaces: int | None, person: str | None
) -> None:
    now = system_clock()
    document = rule_set.basis[0].doc
    with database_of(load()) as database, database.begin() as session:
        who = _operator_of(session, unit)
        done = rule_sets.put(
            session, rule_set.id, text, who=who, now=now, replaces=replaces, document=document
        )
        code = "score.annex_stored" if done.is_new else "score.annex_unchanged"
        tell(code, rule_set=rule_set.id, version=str(done.version.number))
        if person is not None:
            rows = rule_sets.confirmed(done.version, (), who.lft)
            paths = [one.number.path for one in rows]
            number = rule_sets.confirm(
                session, done.version, paths, person=person, document=document, who=who, now=now
            )
            tell("score.annex_confirmed", count=str(number), person=person)


def _operator_of(session: ReadSession, unit: str | None) -> Principal:
    return operator(None if unit is None else subtree.unit_of(session, operator(None), unit))


# ---------------------------------------------------------------- on the screen


def _tell_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        sentence = phrase(language(), finding.code, finding.params)
        severity = finding.severity.value
        tell(f"score.finding.{severity}", where=finding.where or "–", sentence=sentence)


def _is_faulty(findings: Sequence[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def _table(*columns: str) -> Table:
    return Table(*(phrase(language(), f"score.column.{column}") for column in columns))


def _lines_table(rule_set: RuleSet) -> Table:
    table = _table("line", "max")
    for leaf in rule_set.leaves:
        title = leaf.title.vi if language() is Language.VI else leaf.title.en
        table.add_row(f"{leaf.id}  {title}", plain(leaf.max))
    return table
