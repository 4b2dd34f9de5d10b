"""Trying a record again: whose news it is, and how old."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from app.domain.faults import Fault
from app.store import access, quarantine
from app.store.quarantine import Entry
from app.store.session import WriteSession
from app.store.tables import audit, dossier_record
from app.store.units import UnitRow
from app.usecases import quarantine as desk
from app.usecases.access import Principal, Scope
from app.usecases.ingest import VerdictWord
from app.usecases.intake import Form
from app.usecases.quarantine import QuarantineSettled, form_of, retry
from app.usecases.subtree import Subtree
from tests.factories import make_source, make_unit

ARRIVED = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
NOW = ARRIVED + timedelta(days=30)
RAW = {"code": "HS-1", "unit": "H44", "procedure": "1.001193", "status": "processing"}


def _entry(unit: UnitRow, source_id: int, *, door: str = "native", raw: Any = RAW) -> Entry:
    return Entry(
        id=uuid4(),
        unit_id=unit.id,
        unit_lft=unit.lft,
        source_id=source_id,
        key_id=None,
        door=door,
        code="HS-1",
        raw=raw,
        faults=(Fault("/status", "record.not_among", {"allowed": "…"}),),
        recorded_at=ARRIVED,
    )


def _who(unit: UnitRow, source_id: int, *scopes: Scope) -> Principal:
    return Principal(
        key_id=1,
        prefix="dh_test_AbCdEfGh",
        name="test",
        source_id=source_id,
        source_code="mot-cua",
        unit_id=unit.id,
        unit_code=unit.code,
        lft=unit.lft,
        rgt=unit.rgt,
        scopes=frozenset(scopes) or frozenset({Scope.DOSSIERS_WRITE}),
    )


def _hash(number: str) -> str:
    return f"hash-{len(number)}"


def _told(session: WriteSession) -> Mapping[str, Any]:
    return dict(session.execute(sa.select(dossier_record)).mappings().one())


def test_a_record_without_stamp_and_date_is_as_old_as_its_arrival(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    entry = _entry(unit, source_id)
    quarantine.add(session, [entry])

    done = retry(session, entry.id, who=_who(unit, source_id), hash_applicant=_hash, now=NOW)

    assert done.word is VerdictWord.ACCEPTED
    assert _told(session)["source_updated_at"] == ARRIVED
    assert _told(session)["recorded_at"] == NOW


def test_a_mended_record_without_stamp_and_date_is_news_of_today(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    entry = _entry(unit, source_id)
    quarantine.add(session, [entry])

    retry(session, entry.id, mended=RAW, who=_who(unit, source_id), hash_applicant=_hash, now=NOW)

    assert _told(session)["source_updated_at"] == NOW


def test_the_trail_says_who_tried_again_and_whether_it_was_mended(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    entry = _entry(unit, source_id)
    quarantine.add(session, [entry])

    retry(session, entry.id, mended=RAW, who=_who(unit, source_id), hash_applicant=_hash, now=NOW)

    line = session.execute(sa.select(audit).order_by(audit.c.id.desc()).limit(1)).mappings().one()
    assert (line["action"], line["subject"]) == ("quarantine.retry", str(entry.id))
    assert line["after"] == {"code": "HS-1", "verdict": "accepted", "mended": True}


def test_of_two_who_settle_one_record_only_the_first_does(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    entry = _entry(unit, source_id)
    quarantine.add(session, [entry])

    assert quarantine.settle(session, entry, now=NOW)
    assert not quarantine.settle(session, entry, now=NOW)
    with pytest.raises(QuarantineSettled):
        retry(session, entry.id, who=_who(unit, source_id), hash_applicant=_hash, now=NOW)


def test_a_record_of_a_key_of_the_whole_installation_is_read_in_all_of_it(
    session: WriteSession,
) -> None:
    make_unit(session)
    source_id = make_source(session)
    whole = Principal(
        key_id=1,
        prefix="dh_test_AbCdEfGh",
        name="test",
        source_id=source_id,
        source_code="mot-cua",
        unit_id=None,
        unit_code=None,
        lft=access.WHOLE[0],
        rgt=access.WHOLE[1],
        scopes=frozenset({Scope.DOSSIERS_WRITE}),
    )
    entry = Entry(uuid4(), 0, 0, source_id, None, "native", "HS-1", RAW, (Fault("", "x"),), ARRIVED)
    quarantine.add(session, [entry])

    done = retry(session, entry.id, who=whole, hash_applicant=_hash, now=NOW)

    assert done.word is VerdictWord.ACCEPTED
    assert _told(session)["root_unit_id"] == 0


@pytest.mark.parametrize(
    ("door", "form"), [*((one.value, one) for one in Form), ("demo", "native")]
)
def test_every_record_has_a_form_to_be_read_in(session: WriteSession, door: str, form: str) -> None:
    unit = make_unit(session)

    assert form_of(_entry(unit, 1, door=door)) == form


def test_a_page_is_filtered_by_state(session: WriteSession) -> None:
    unit, source_id = make_unit(session), make_source(session)
    one, other = _entry(unit, source_id), _entry(unit, source_id)
    quarantine.add(session, [one, other])
    quarantine.settle(session, other, now=NOW)

    def ids(state: desk.Waiting | None) -> set[object]:
        found = desk.page(
            session,
            within=Subtree(unit.lft, unit.rgt),
            state=state,
            fault=None,
            after=None,
            limit=10,
        )
        return {entry.id for entry in found}

    assert ids(desk.Waiting.WAITING) == {one.id}
    assert ids(desk.Waiting.ACCEPTED) == {other.id}
    assert ids(None) == {one.id, other.id}
