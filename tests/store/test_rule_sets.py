"""Rule sets of offices as rows: appended, listed as known, never changed."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.store import rule_sets
from app.store.session import WriteSession
from app.store.tables import rule_set_version
from tests.factories import make_unit

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def add(session: WriteSession, version: int, *, owner_id: int | None, at: datetime) -> None:
    rule_sets.add(
        session,
        identifier="par.h44",
        version=version,
        owner_id=owner_id,
        text=f"text {version}",
        digest=f"digest {version}",
        first_on=date(2026, 1, 1),
        last_on=None,
        replaces=version - 1 or None,
        document=None,
        actor="test",
        now=at,
    )


def test_versions_are_listed_with_their_owner_as_known_at_an_instant(session: WriteSession) -> None:
    province = make_unit(session, "H44")
    add(session, 1, owner_id=province.id, at=NOW)
    add(session, 2, owner_id=province.id, at=NOW + timedelta(days=1))

    early = rule_sets.versions(session, "par.h44", known_at=NOW)
    late = rule_sets.versions(session, "par.h44")

    assert [row.version for row in early] == [1]
    assert [(row.version, row.replaces, row.owner_code) for row in late] == [
        (1, None, "H44"),
        (2, 1, "H44"),
    ]
    assert (late[0].owner_lft, late[0].owner_rgt) == (province.lft, province.rgt)


def test_a_version_is_never_changed(session: WriteSession) -> None:
    add(session, 1, owner_id=None, at=NOW)

    with pytest.raises(sa.exc.DBAPIError, match="append-only"), session.savepoint():
        session.execute(sa.update(rule_set_version).values(text="other"))


def test_confirmations_are_kept_by_unit_with_person_and_document(session: WriteSession) -> None:
    province = make_unit(session, "H44")
    for unit_id, value in ((province.id, "0.95"), (rule_sets.EVERYBODY, "0.9")):
        rule_sets.confirm(
            session,
            "par.h44",
            [("root/a/linear/floor", value), ("root/a/max", "1")],
            unit_id=unit_id,
            person="An",
            document="876/QĐ-UBND",
            actor="test",
            now=NOW,
        )

    rows = rule_sets.confirmations(session, "par.h44", known_at=NOW)

    assert [(row.unit_code, row.path, row.value) for row in rows] == [
        (None, "root/a/linear/floor", "0.9"),
        (None, "root/a/max", "1"),
        ("H44", "root/a/linear/floor", "0.95"),
        ("H44", "root/a/max", "1"),
    ]
    assert rule_sets.confirmations(session, "other") == []
