"""Causes of lateness as rows."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.domain.late_cause import CauseGroup, LateCause
from app.store import late_causes
from app.store.late_causes import Place
from app.store.session import Database, WriteSession
from tests.factories import LONG_AGO, add_dossier, make_source, make_unit

ALL = {"lft": 0, "rgt": 2**62}
CAUSE = LateCause("H44:x", CauseGroup.EVENTS, "Mất điện", "Power cut", "H44")


def test_the_last_word_holds_and_the_first_stays(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    add_dossier(session, unit, source_id, "A")
    (place,) = late_causes.places(session, [("A", None)], **ALL)["A", None]

    for cause in ("applicant", "applicant", "other"):
        late_causes.say(session, [place], cause, actor="t", now=LONG_AGO)

    assert late_causes.newest(session, [place.key]) == {place.key: "other"}
    said = [one.cause for one in late_causes.history(session, place.key)]
    assert said == ["applicant", "other"]


def test_what_was_said_is_never_changed(session: WriteSession) -> None:
    place = Place((1, "A"), 1, 0, "s")
    late_causes.say(session, [place], "other", actor="t", now=LONG_AGO)

    with pytest.raises(DBAPIError, match="append-only"), session.savepoint():
        session.execute(sa.text("UPDATE late_cause SET cause = 'applicant'"))


def test_a_cause_of_a_unit_holds_below_it_and_not_beside(session: WriteSession) -> None:
    province = make_unit(session)
    commune, other = (make_unit(session, f"H44.{n}", parent=province) for n in (1, 2))
    late_causes.put_own(session, commune.id, "x", CAUSE, actor="t", now=LONG_AGO)
    renamed = replace(CAUSE, vi="Cúp điện")
    late_causes.put_own(session, commune.id, "x", renamed, actor="t", now=LONG_AGO)

    seen = {
        unit.code: [
            own.cause.vi
            for own in late_causes.own(session, above=unit.lft, lft=unit.lft, rgt=unit.lft)
        ]
        for unit in (province, commune, other)
    }

    assert seen == {"H44": [], "H44.1": ["Cúp điện"], "H44.2": []}


def test_many_who_speak_of_one_dossier_at_once_take_turns(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        unit, source_id = make_unit(session), make_source(session)
        add_dossier(session, unit, source_id, "A")
        session.execute(
            sa.text("INSERT INTO locator VALUES (:source, 'A', :unit, :unit, 1)"),
            {"source": source_id, "unit": unit.id},
        )
    place = Place((source_id, "A"), unit.id, unit.lft, "mot-cua")

    def say(n: int) -> None:
        with fresh_database.begin() as session:
            late_causes.say(session, [place], f"c{n}", actor="t", now=LONG_AGO)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(say, range(24)))

    with fresh_database.read() as reader:
        said = [one.cause for one in late_causes.history(reader, place.key)]
    assert sorted(said) == sorted(f"c{n}" for n in range(24))
