"""The digest of closed figures: one spelling, and every word of it counts."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.frozen import Closing, FrozenRow, FrozenUnit, Gap, digest, plain_gaps

NOW = datetime(2026, 8, 5, 2, 0, tzinfo=UTC)
CLOSING = Closing(
    unit="H44",
    first=date(2026, 7, 1),
    last=date(2026, 7, 31),
    kind="month",
    label="2026-07",
    as_of=datetime(2026, 7, 31, 17, tzinfo=UTC),
    known_at=NOW,
    closed_at=NOW,
    closed_by="key:t",
    document=None,
    readings=("promised",),
    counts=("received", "finished_late"),
    definitions=("on_time_of_finished@1",),
    default_definition="on_time_of_finished@1",
    units=(FrozenUnit("H44", "Tỉnh", "province", None),),
    gaps={"H44": Gap(date(2026, 7, 20), ("mot-cua",))},
)
ROWS = [
    FrozenRow("promised", "H44", None, None, False, (3, 0)),
    FrozenRow("promised", "H44", "F", "P", True, (1, 1)),
    FrozenRow("promised", "H44", "F", "P", False, (0, 2)),
]


@given(st.integers())
def test_the_order_of_rows_and_the_zone_of_moments_do_not_matter(seed: int) -> None:
    mixed = Random(seed).sample(ROWS, len(ROWS))  # an order, not a secret
    here = timezone(timedelta(hours=7))
    moved = replace(CLOSING, known_at=NOW.astimezone(here), as_of=CLOSING.as_of.astimezone(here))

    assert digest(moved, mixed) == digest(CLOSING, ROWS)


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "H45"},
        {"first": date(2026, 7, 2)},
        {"last": date(2026, 7, 30)},
        {"label": "2026-7"},
        {"kind": None},
        {"as_of": NOW},
        {"known_at": NOW + timedelta(microseconds=1)},
        {"closed_at": NOW + timedelta(microseconds=1)},
        {"closed_by": "key:u"},
        {"document": "12/BC"},
        {"readings": ("promised", "extended")},
        {"counts": ("received", "finished_early")},
        {"definitions": ("on_time_of_finished@2",)},
        {"default_definition": "late_share@1"},
        {"units": (FrozenUnit("H44", "Tỉnh", "department", None),)},
        {"gaps": {}},
    ],
)
def test_whatever_is_changed_changes_the_digest(change: dict[str, object]) -> None:
    assert digest(replace(CLOSING, **change), ROWS) != digest(CLOSING, ROWS)  # type: ignore[arg-type]  # its own fields


@pytest.mark.parametrize("place", range(len(ROWS)))
def test_every_row_counts(place: int) -> None:
    without = [row for at, row in enumerate(ROWS) if at != place]
    more = list(ROWS)
    more[place] = replace(ROWS[place], counts=(ROWS[place].counts[0] + 1, ROWS[place].counts[1]))

    assert len({digest(CLOSING, ROWS), digest(CLOSING, without), digest(CLOSING, more)}) == 3


def test_silent_sources_are_written_by_unit() -> None:
    assert plain_gaps(CLOSING.gaps) == {"H44": {"since": "2026-07-20", "sources": ["mot-cua"]}}
