from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given

from app.domain.almanac import NaiveInstant
from app.domain.pauses import (
    DEFAULT_POLICIES,
    Pause,
    PauseEndsBeforeStart,
    PauseKind,
    PausePolicy,
    united,
    without_replaced,
)
from tests.clock_strategies import at, instants, pauses, restart, shift

START = at("2026-08-03 09:00")


def test_only_a_supplement_restarts_unless_a_procedure_says_otherwise() -> None:
    restarting = {kind for kind, policy in DEFAULT_POLICIES.items() if policy == "restart"}

    assert restarting == {PauseKind.SUPPLEMENT}
    assert set(DEFAULT_POLICIES) == set(PauseKind)


def test_a_pause_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(PauseEndsBeforeStart):
        shift(at("2026-08-04 09:00"), at("2026-08-04 08:59"))


def test_a_naive_end_is_refused_with_its_field() -> None:
    with pytest.raises(NaiveInstant) as refusal:
        shift(at("2026-08-04 09:00"), at("2026-08-05 09:00").replace(tzinfo=None))

    assert refusal.value.field == "pauses.ended_at"


def test_overlapping_and_touching_pauses_are_one_and_keep_their_kinds() -> None:
    fee = shift(at("2026-08-04 09:00"), at("2026-08-05 09:00"))
    touching = shift(at("2026-08-05 09:00"), at("2026-08-06 09:00"), PauseKind.OTHER)
    papers = restart(at("2026-08-05 10:00"), at("2026-08-05 11:00"))

    (span,) = united((papers, touching, fee), START)

    assert (span.started_at, span.ended_at) == (fee.started_at, touching.ended_at)
    assert span.kinds == (PauseKind.PAYMENT, PauseKind.OTHER, PauseKind.SUPPLEMENT)
    assert span.policy is PausePolicy.RESTART


def test_pauses_apart_stay_apart_and_an_empty_one_is_none() -> None:
    first = shift(at("2026-08-04 09:00"), at("2026-08-05 09:00"))
    later = shift(at("2026-08-05 09:01"), at("2026-08-06 09:00"))
    empty = shift(at("2026-08-07 09:00"), at("2026-08-07 09:00"))

    assert len(united((first, later, empty), START)) == 2


def test_an_open_pause_swallows_what_begins_after_it() -> None:
    waiting = shift(at("2026-08-04 09:00"), None)
    later = restart(at("2026-08-06 09:00"), at("2026-08-07 09:00"))

    (span,) = united((waiting, later), START)

    assert span.ended_at is None
    assert span.policy is PausePolicy.RESTART


def test_the_last_date_named_with_a_union_is_its_date() -> None:
    first = replace(
        shift(at("2026-08-04 09:00"), at("2026-08-06 09:00")), new_due_at=at("2026-08-20 17:00")
    )
    second = replace(
        shift(at("2026-08-05 09:00"), at("2026-08-07 09:00")), new_due_at=at("2026-08-21 17:00")
    )

    (span,) = united((second, first), START)

    assert span.new_due_at == at("2026-08-21 17:00")


def test_an_explicit_pause_replaces_only_the_inferred_one_of_its_kind_that_it_overlaps() -> None:
    told = shift(at("2026-08-05 09:00"), at("2026-08-06 09:00"))
    overlapped = replace(shift(at("2026-08-04 09:00"), at("2026-08-07 09:00")), inferred=True)
    touching = replace(shift(at("2026-08-06 09:00"), None), inferred=True)
    other_kind = replace(shift(at("2026-08-04 09:00"), None, PauseKind.STOPPED), inferred=True)

    kept = without_replaced((told, overlapped, touching, other_kind))

    assert kept == (told, touching, other_kind)
    assert not united((told, other_kind), START)[0].inferred


@given(pauses(), instants, instants)
def test_spans_are_disjoint_in_order_and_within_the_life_of_the_dossier(
    found: tuple[Pause, ...], start: datetime, finish: datetime
) -> None:
    spans = united(found, start, finish)

    edges = [edge for span in spans for edge in (span.started_at, span.ended_at) if edge]
    assert edges == sorted(set(edges))
    assert all(start <= edge <= finish for edge in edges)
