"""Score 3,655 units by each shipped rule set: ``python -m bench.score [--store]``.

The figures are made up from a fixed seed. Without ``--store`` nothing is read from a database: the
arithmetic alone. With it, every sheet's inputs are written to a database of its own first, and
the time is that of the whole board: units, dossiers, inputs of all units and scores. The last line
tells whether the promise (3,655 units in 3 seconds) holds for the slowest set. Work is done on one
core: the promise is held against processor time, and wall time stands beside it for a busy
machine.
"""

import argparse
import random
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa

from app.domain.period import Period
from app.domain.rule_set import Given, RuleSet
from app.domain.sheet import Entry, EntryKind
from app.domain.tally import COUNTS, Tally
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_sets import load_rule_sets
from app.store import schema, sheets, units
from app.store.embedded import EmbeddedPostgres
from app.store.session import Database, WriteSession
from app.store.units import UnitRow
from app.usecases import scoreboard, scorecards
from app.usecases.access import operator
from app.usecases.index import Figures, ask, document, score_units

PROVINCES, COMMUNES, PROMISE = 34, 3_621, 3.0
NOW = datetime(2026, 8, 10, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
STORED = ("qd766.profile-2026", "nd307-2025.xa", "par-tthc.template")


def unit(number: int, parent: int | None) -> UnitRow:
    level = "province" if parent is None else "commune"
    return UnitRow(
        id=number,
        code=f"U{number:05}",
        name=f"Unit {number}",
        level=level,
        parent_id=parent,
        parent_code=None if parent is None else f"U{parent:05}",
        lft=number,
        rgt=number,
        depth=0 if parent is None else 1,
        valid_from=None,
        valid_to=None,
        legacy_codes=(),
        is_bucket=False,
        recorded_at=NOW,
    )


def tally(chance: random.Random) -> Tally:
    counts = {count.value: chance.randint(0, 4_000) for count in COUNTS}
    counts["progress_766_on_time"] = counts["progress_766_received"] * 97 // 100
    return Tally.from_mapping(counts)


def figures(rule_set: RuleSet) -> Figures:
    chance = random.Random(766)
    rows = [unit(number, None) for number in range(PROVINCES)]
    rows += [unit(PROVINCES + n, n % PROVINCES) for n in range(COMMUNES)]
    given = [name for name, bound in rule_set.inputs.items() if isinstance(bound, Given)]
    declared = {row.code: {name: chance.randint(1, 5) for name in given} for row in rows}
    return Figures(rows, {row.code: tally(chance) for row in rows}, date(2026, 1, 1), declared)


def pure() -> float:
    """Score made-up figures; return the processor seconds of the slowest set."""
    metrics, slowest = load_metrics(), 0.0
    print(f"{'rule set':<22}{'units':>7}{'leaves':>8}{'score s':>9}{'wall s':>8}{'feed s':>8}")
    for rule_set in load_rule_sets().all:
        known = figures(rule_set)
        begun, wall = time.process_time(), time.perf_counter()
        assessed = score_units(rule_set, metrics, known)
        scored, wall = time.process_time() - begun, time.perf_counter() - wall
        document(rule_set, metrics, ask(2026, now=NOW), assessed, is_confirmed=False)
        written = time.process_time() - begun - scored
        slowest = max(slowest, scored)
        print(
            f"{rule_set.id:<22}{len(assessed):>7}{len(rule_set.leaves):>8}"
            f"{scored:>9.2f}{wall:>8.2f}{written:>8.2f}"
        )
    return slowest


def stored() -> float:
    """Score sheets out of a database; return the processor seconds of the slowest set."""
    slowest = 0.0
    print(f"{'rule set':<22}{'units':>7}{'inputs':>9}{'board s':>9}{'wall s':>8}")
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder), durable=False) as server,
    ):
        database = Database(server.url)
        schema.migrate(database)
        with database.begin() as session:
            places = _country(session)
            for identifier in STORED:
                _fill(session, identifier, places)
            session.execute(sa.text("ANALYZE"))
        for identifier in STORED:
            with database.read() as session:
                asked = scorecards.ask(session, identifier, YEAR, who=operator(None), now=NOW)
                begun, wall = time.process_time(), time.perf_counter()
                found = scoreboard.board(session, asked, root=None, who=operator(None))
                spent, wall = time.process_time() - begun, time.perf_counter() - wall
            slowest = max(slowest, spent)
            told = len(_given(asked.rule_set)) * len(places)
            print(f"{identifier:<22}{len(found.lines):>7}{told:>9}{spent:>9.2f}{wall:>8.2f}")
        database.dispose()
    return slowest


def _country(session: WriteSession) -> list[UnitRow]:
    slots = units.Slots.of(session)
    places: list[UnitRow] = []
    for number in range(PROVINCES + COMMUNES):
        parent = None if number < PROVINCES else places[number % PROVINCES]
        places.append(
            units.add(
                session,
                slots,
                code=f"U{number:05}",
                name=f"Unit {number}",
                level="province" if parent is None else "commune",
                parent=parent,
                valid_from=None,
                valid_to=None,
                legacy_codes=(),
                now=NOW,
            )
        )
    return places


def _given(rule_set: RuleSet) -> list[str]:
    return [name for name, bound in rule_set.inputs.items() if isinstance(bound, Given)]


def _fill(session: WriteSession, identifier: str, places: list[UnitRow]) -> None:
    chance = random.Random(766)
    names = _given(load_rule_sets().get(identifier, YEAR.last))
    for place in places:
        body = {name: {"value": str(chance.randint(1, 5)), "source": "declared"} for name in names}
        entry = Entry(EntryKind.INPUTS, body, "bench", datetime(2026, 8, 1, tzinfo=UTC))
        sheets.append(session, place.id, identifier, YEAR, [entry])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", action="store_true", help="through a database")
    slowest = stored() if parser.parse_args().store else pure()
    verdict = "kept" if slowest <= PROMISE else "broken"
    print(f"slowest {slowest:.2f} s, promised {PROMISE} s: {verdict}")


if __name__ == "__main__":
    main()
