"""The sheet as JSON: its hash covers what is scored, whoever asks and whenever."""

from datetime import UTC, date, datetime

import pytest

from app.domain.period import Period
from app.store.session import WriteSession
from app.store.units import UnitRow
from app.usecases import card, inputs, rule_sets, scorecards
from app.usecases.card import Json
from app.usecases.inputs import Tell
from tests.factories import make_source, make_unit
from tests.principals import holder
from tests.rule_set_texts import annex
from tests.score_sheets import handle

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))


@pytest.fixture
def commune(session: WriteSession) -> UnitRow:
    province = make_unit(session, "H44")
    found = make_unit(session, "H44.1", parent=province)
    handle(session, found, make_source(session), on_time=18, late=2)
    rule_sets.put(session, "par.h44", annex(), who=holder(province), now=NOW)
    return found


def document(session: WriteSession, commune: UnitRow, now: datetime = NOW) -> Json:
    asked = scorecards.ask(session, "par.h44", YEAR, who=holder(commune), now=now)
    found = scorecards.one(session, asked, commune.code, who=holder(commune))
    return card.document(found.assessed, found.loaded, found.row, is_confirmed=False)


def line(body: Json, place: int) -> Json:
    nodes = body["nodes"]
    assert isinstance(nodes, list)
    found = nodes[place]
    assert isinstance(found, dict)
    return found


def test_a_line_below_its_floor_tells_the_distance_in_dossiers(
    session: WriteSession, commune: UnitRow
) -> None:
    found = line(document(session, commune), 0)

    assert found["thresholds"] == [
        {"kind": "floor", "value": "0.95", "reached": False, "margin": "-1"},
        {"kind": "target", "value": "1", "reached": False, "margin": "-2"},
    ]
    assert found["recover"] == {
        "reaches": "floor",
        "input": "resolved_in_time",
        "more": "1",
        "dossiers": 1,
        "among_new": 20,
        "points": "0.95",
        "gains": "0.95",
    }


def test_links_lead_to_what_cost_points_first(session: WriteSession, commune: UnitRow) -> None:
    links = line(document(session, commune), 0)["links"]

    assert isinstance(links, list)
    assert [(one["rel"], one["count"], one["dossiers"]) for one in links] == [
        ("lost", "finished_late", 2),
        ("counted", "finished_early", 0),
        ("counted", "finished_on_time", 18),
    ]


def test_the_hash_says_nothing_of_the_moment_and_moves_with_an_input(
    session: WriteSession, commune: UnitRow
) -> None:
    first = document(session, commune)
    later = document(session, commune, NOW.replace(hour=9))
    inputs.put(
        session,
        "par.h44",
        YEAR,
        commune.code,
        {"not_published": Tell(1)},
        who=holder(commune),
        now=NOW,
    )

    told = document(session, commune)

    assert first["hash"] == later["hash"] != told["hash"]
    assert card.fingerprint(first) == card.fingerprint(later) != card.fingerprint(told)
    assert first["missing"] == [
        {
            "input": "not_published",
            "source": "declared",
            "leaves": ["published"],
            "from": commune.code,
        }
    ]


def test_lost_points_name_the_role_of_the_sheet_before_that_of_the_set(
    session: WriteSession, commune: UnitRow
) -> None:
    text = annex("par.roles").replace("  max: 2\n", "  max: 2\n  responsible: Văn phòng\n")
    rule_sets.put(session, "par.roles", text, who=holder(commune), now=NOW)
    inputs.put(
        session,
        "par.roles",
        YEAR,
        commune.code,
        {"not_published": Tell(3)},
        who=holder(commune),
        now=NOW,
        responsible={"published": "Công chức văn hóa"},
    )
    asked = scorecards.ask(session, "par.roles", YEAR, who=holder(commune), now=NOW)
    found = scorecards.one(session, asked, commune.code, who=holder(commune))

    lost = card.lost_of(found.assessed, found.loaded, found.row)

    assert [(one["leaf"], one["lost"], one["responsible"]) for one in lost] == [
        ("on_time", "1.00", "Văn phòng"),
        ("published", "0.30", "Công chức văn hóa"),
    ]
