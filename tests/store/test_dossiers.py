"""Where dossiers live, claimed by version; what was believed is kept with its time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from app.domain.record import MessageKind
from app.store import dossiers
from app.store.dossiers import Claim
from app.store.session import Database, WriteSession

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def row(code: str = "HS-1", unit: int = 1, **more: Any) -> dict[str, Any]:
    """Return every column of a dossier."""
    empty = dict.fromkeys(dossiers._DOSSIER_TYPES)  # the columns are the subject
    return {
        **empty,
        "unit_id": unit,
        "source_id": 1,
        "code": code,
        "unit_lft": unit,
        "home_unit_id": 1,
        "version": 1,
        "recorded_at": NOW,
        "first_recorded_at": NOW,
        "source_updated_at": NOW,
        "is_current": True,
        "is_open": True,
        "is_leg": False,
        "is_counted": True,
        "same_as": [],
        "channel": "online",
        "applicant_type": "citizen",
        "other_codes": [],
        "place_independent": False,
        "due_origin": "computed",
        "is_provisional": False,
        "apology_exempt": False,
        "issues": [],
        "supplement_at": [],
        "edge_at": [NOW],
        "edge_state": [30],
        "edge_flow": [1],
        "edge_due": [None],
        "edge_days": [],
        **more,
    }


def message(seq: int, code: str = "HS-1", **more: Any) -> dict[str, Any]:
    """Return a message as it is appended, without what goes without saying."""
    return {
        "unit_id": 1,
        "source_id": 1,
        "code": code,
        "seq": seq,
        "source_updated_at": NOW,
        "digest": "d",
        "told": b'{"received_at":"2026-03-02T00:00:00Z","unit":"A"}',
        **more,
    }


def append(session: WriteSession, rows: list[dict[str, Any]]) -> None:
    """Add messages to the record of somebody who speaks for everything."""
    dossiers.append(session, rows, key_id=None, root_unit_id=0, now=NOW)


def replace(session: WriteSession, believed: dict[str, Any], *, now: datetime) -> None:
    """Store what is believed now of the dossier that stood at unit 1."""
    replaced = {(1, "HS-1"): [1]}
    dossiers.remember(session, replaced, now=now)
    dossiers.put(session, rows=[believed], readings=[], replaced=replaced, now=now)


def test_a_claim_is_won_once_for_each_version(session: WriteSession) -> None:
    first = Claim(1, "HS-1", 1, 1, 0)

    assert dossiers.claim(session, [first]).won() == 1
    assert dossiers.claim(session, [first]).won() == 0
    assert dossiers.claim(session, [Claim(1, "HS-1", 1, 2, 1)]).won() == 1
    place = dossiers.locate(session, [(1, "HS-1"), (1, "HS-2")])[1, "HS-1"]
    assert (place.home_unit_id, place.unit_id, place.version) == (1, 2, 2)


def test_a_dossier_is_handed_over_without_another_version(session: WriteSession) -> None:
    dossiers.claim(session, [Claim(1, f"HS-{n}", 1, 1, 0) for n in range(2)])

    dossiers.hand_over(session, {(1, "HS-1"): 2})

    found = dossiers.locate(session, [(1, "HS-0"), (1, "HS-1")])
    assert {key[1]: (one.unit_id, one.version) for key, one in found.items()} == {
        "HS-0": (1, 1),
        "HS-1": (2, 1),
    }


def test_what_is_written_on_top_of_a_lost_claim_tells_of_the_loss_and_not_of_itself(
    session: WriteSession,
) -> None:
    dossiers.claim(session, [Claim(1, "HS-1", 1, 1, 0)])
    append(session, [message(1)])

    with pytest.raises(KeyError), session.savepoint():
        late = dossiers.claim(session, [Claim(1, "HS-1", 1, 1, 0), Claim(1, "HS-2", 1, 1, 0)])
        append(session, [message(1)])
        assert late.won() == 1
        raise KeyError

    with pytest.raises(psycopg.IntegrityError), session.savepoint():
        won = dossiers.claim(session, [Claim(1, "HS-1", 1, 1, 1)])
        append(session, [message(1)])
        won.won()


def test_who_expects_keys_reads_no_table_from_end_to_end_while_it_is_new(
    database: Database,
) -> None:
    with database.begin() as session, session.savepoint():
        dossiers.expect_keys(session)
        lookup = dossiers._LOCATE.replace(b"$1", b"'[]'")  # the statement is the subject
        plan = "\n".join(line for (line,) in session.ask(b"EXPLAIN " + lookup))

    assert "Index Scan using pk_locator" in plan


def test_the_record_gives_back_what_was_told_in_order_of_arrival(session: WriteSession) -> None:
    dossiers.claim(session, [Claim(1, "HS-1", 1, 1, 0)])
    append(session, [message(2), message(1)])

    kept = dossiers.records(session, dossiers.locate(session, [(1, "HS-1")]))[1, "HS-1"]

    assert kept.last_seq == 2
    assert [one.kind for one in kept.messages] == [MessageKind.RECORD] * 2
    assert kept.messages[0].told["received_at"] == NOW


def test_a_message_says_only_what_is_out_of_the_common(session: WriteSession) -> None:
    before = NOW - timedelta(hours=1)
    unusual = message(2, kind="paused", at=before, stamped=False, stale=True)
    dossiers.append(session, [message(1), unusual], key_id=None, root_unit_id=7, now=NOW)

    rows = session.execute(
        text(
            "SELECT kind, at, stamped, stale, root_unit_id, recorded_at FROM dossier_record"
            " ORDER BY seq"
        )
    )

    assert [tuple(one) for one in rows] == [
        ("record", NOW, True, False, 7, NOW),
        ("paused", before, False, True, 7, NOW),
    ]


def test_a_row_says_only_what_is_out_of_the_common(session: WriteSession) -> None:
    whole = row("HS-1", version=3)
    short = {name: value for name, value in whole.items() if value not in (None, [], False)}
    for name in ("home_unit_id", "is_current", "is_counted", "recorded_at", "first_recorded_at"):
        del short[name]
    dossiers.put(session, rows=[short | {"code": "HS-2"}, whole], readings=[], replaced={}, now=NOW)

    stored = session.execute(text("SELECT to_jsonb(d) - 'code' FROM dossier d")).scalars().all()

    assert len(short) < len(whole) / 2
    assert stored[0] == stored[1]


def test_readings_leave_with_the_row_that_they_belong_to(session: WriteSession) -> None:
    clock = {name: value for name, value in row().items() if name in dossiers._CLOCK_TYPES}
    other = {"unit_id": 1, "source_id": 1, "code": "HS-1", "reading": "statutory", **clock}
    dossiers.put(session, rows=[row()], readings=[other], replaced={}, now=NOW)

    replace(session, row(unit=2), now=NOW)

    assert session.scalar(text("SELECT count(*) FROM dossier_reading")) == 0
    kept = session.scalar(text("SELECT readings -> 'statutory' -> 'edge_state' FROM dossier_past"))
    assert kept == [30]


def test_what_was_believed_is_remembered_when_it_is_replaced(session: WriteSession) -> None:
    later = NOW + timedelta(hours=1)
    dossiers.put(session, rows=[row()], readings=[], replaced={}, now=NOW)

    replace(session, row(version=2, recorded_at=later), now=later)

    past = session.execute(text("SELECT version, recorded_at, superseded_at FROM dossier_past"))
    assert [tuple(one) for one in past] == [(1, NOW, later)]
    changes = session.execute(text("SELECT version, sign FROM dossier_change"))
    assert sorted(tuple(one) for one in changes) == [(1, -1), (1, 1), (2, 1)]


def test_a_stay_that_never_was_leaves_the_projection_and_stays_in_the_past(
    session: WriteSession,
) -> None:
    dossiers.put(session, rows=[row(unit=1)], readings=[], replaced={}, now=NOW)

    replace(session, row(unit=2), now=NOW)

    assert dossiers.places(session, [(1, "HS-1")]).get() == {(1, "HS-1"): (2,)}
    assert session.scalar(text("SELECT count(*) FROM dossier_past")) == 1
    changes = session.execute(text("SELECT unit_id, sum(sign) FROM dossier_change GROUP BY 1"))
    assert sorted(tuple(one) for one in changes) == [(1, 0), (2, 1)]


def test_rows_that_differ_from_what_is_stored_are_named(session: WriteSession) -> None:
    dossiers.put(session, rows=[row(), row("HS-2")], readings=[], replaced={}, now=NOW)
    keys = [(1, "HS-1"), (1, "HS-2")]

    same = dossiers.differing(session, keys, rows=[row(), row("HS-2")], readings=[])
    other = dossiers.differing(session, keys, rows=[row(), row("HS-2", contacts=3)], readings=[])
    missing = dossiers.differing(session, keys, rows=[row()], readings=[])

    assert (same, other, missing) == (set(), {(1, "HS-2")}, {(1, "HS-2")})


def test_open_computed_promises_are_found_by_unit_and_procedure(session: WriteSession) -> None:
    rows = [
        row("HS-1", procedure_id=7),
        row("HS-2", unit=5, procedure_id=8),
        row("HS-3", due_origin="told"),
        row("HS-4", is_open=False),
    ]
    dossiers.put(session, rows=rows, readings=[], replaced={}, now=NOW)

    assert dossiers.open_computed(session, lft=0, rgt=9) == [(1, "HS-1"), (1, "HS-2")]
    assert dossiers.open_computed(session, lft=0, rgt=4) == [(1, "HS-1")]
    assert dossiers.open_computed(session, lft=0, rgt=9, procedures=[8]) == [(1, "HS-2")]


def test_legs_that_stand_alone_are_found_by_their_parent(session: WriteSession) -> None:
    rows = [row("LEG-1", parent="HS-1"), row("LEG-2", parent="HS-1", is_leg=True)]
    dossiers.put(session, rows=rows, readings=[], replaced={}, now=NOW)

    assert dossiers.legs_of(session, [(1, "HS-1")]).get() == {(1, "LEG-1"): (1, "HS-1")}


def test_keys_are_paged_in_order(session: WriteSession) -> None:
    dossiers.claim(session, [Claim(1, f"HS-{n}", 1, 1, 0) for n in range(5)])

    first = dossiers.page_keys(session, after=None, limit=3)

    assert dossiers.page_keys(session, after=first[-1], limit=3) == [(1, "HS-3"), (1, "HS-4")]
