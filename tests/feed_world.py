"""A small year of dossiers from which an index feed is made."""

from dataclasses import dataclass
from datetime import UTC, datetime

from app.store.session import Database
from app.store.units import UnitRow
from tests.factories import (
    add_dossier,
    finished_course,
    local,
    make_source,
    make_unit,
    on_time_until,
)

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class World:
    """A province with two communes, and the dossiers of 2026."""

    database: Database
    province: UnitRow
    good: UnitRow
    bad: UnitRow


def make_world(database: Database) -> World:
    """Write a province where one commune was late once in twenty and another twice."""
    with database.begin() as session:
        province = make_unit(session, "H44")
        good = make_unit(session, "H44.100", parent=province)
        bad = make_unit(session, "H44.101", parent=province)
        source_id = make_source(session)
        day = on_time_until(local("2026-03-10").date()).date()
        received = local("2026-03-02", 9)
        for unit, late in ((good, 1), (bad, 2)):
            for number in range(20):
                finished = local("2026-03-20" if number < late else "2026-03-05", 9)
                add_dossier(
                    session,
                    unit,
                    source_id,
                    f"{unit.code}-260302-{number:04}",
                    due_on=day,
                    course=finished_course(received, day, finished),
                    received_at=received,
                )
    return World(database, province, good, bad)
