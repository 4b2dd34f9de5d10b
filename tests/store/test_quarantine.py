"""Records in quarantine: kept with their reasons, listed by reason, settled and still listed."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.faults import Fault
from app.store import quarantine
from app.store.quarantine import Entry, QuarantineUnknown
from app.store.session import WriteSession
from tests.factories import make_source

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def entry(session: WriteSession, number: int, code: str = "record.not_instant") -> Entry:
    """Return a record that waits."""
    return Entry(
        id=uuid.UUID(int=number),
        unit_id=1,
        unit_lft=5,
        source_id=make_source(session),
        key_id=None,
        door="native",
        code=f"HS-{number}",
        raw={"code": f"HS-{number}"},
        faults=(Fault("/received_at", code, {"x": "y"}),),
        recorded_at=NOW + timedelta(minutes=number),
    )


def test_a_record_is_kept_with_its_reasons_and_seen_within_its_units(session: WriteSession) -> None:
    kept = entry(session, 1)
    quarantine.add(session, [kept])

    found = quarantine.get(session, kept.id, lft=1, rgt=9)

    assert (found.faults, found.raw, found.source) == (kept.faults, kept.raw, "mot-cua")
    with pytest.raises(QuarantineUnknown):
        quarantine.get(session, kept.id, lft=6, rgt=9)


def test_records_are_paged_oldest_first_by_reason(session: WriteSession) -> None:
    quarantine.add(session, [entry(session, n) for n in range(3)])
    quarantine.add(session, [entry(session, 9, "record.unknown_field")])
    quarantine.add(session, [])

    def codes(after: Entry | None) -> list[str | None]:
        place = None if after is None else (after.recorded_at, after.id)
        found = quarantine.page(
            session, lft=1, rgt=9, state="waiting", fault="record.not_instant", after=place, limit=2
        )
        return [one.code for one in found]

    assert codes(None) == ["HS-0", "HS-1"]
    assert codes(entry(session, 1)) == ["HS-2"]


def test_a_settled_record_stays_listed_with_its_former_faults(session: WriteSession) -> None:
    kept = entry(session, 1)
    quarantine.add(session, [kept])

    quarantine.settle(session, kept, now=NOW)

    found = quarantine.get(session, kept.id, lft=1, rgt=9)
    assert (found.state, found.settled_at, found.faults) == ("accepted", NOW, kept.faults)
