"""What a digest tells, as a value."""

from app.domain.alert import STAGES, Level
from app.domain.digest import Digest, Dropped, Silent, is_overdue, offset_of
from tests.factories import local

NOW = local("2026-08-10", 8)


def digest_of(
    numbers: dict[tuple[str, str], int], silent: tuple[Silent, ...] = (), **more: int
) -> Digest:
    return Digest(
        unit="H44",
        unit_name="Tỉnh Phú Thọ",
        level=Level.UNIT,
        slot="2026-08-10",
        as_of=NOW,
        numbers=numbers,
        lines=(),
        dropped={Dropped(name): n for name, n in more.items()},
        silent=silent,
    )


def test_the_names_of_stages_are_read_back() -> None:
    assert [offset_of(stage.name) for stage in STAGES] == [stage.offset for stage in STAGES]
    assert [is_overdue(stage.name) for stage in STAGES] == [stage.offset > 0 for stage in STAGES]


def test_numbers_add_up_whichever_way_they_are_shown() -> None:
    told = digest_of({("A", "overdue+1"): 3, ("B", "overdue+10"): 4, ("A", "due"): 2}, paused=5)

    assert (told.overdue, told.due_soon) == (7, 2)
    assert list(told.by_stage().items()) == [("overdue+10", 4), ("overdue+1", 3), ("due", 2)]
    assert list(told.by_unit().items()) == [("A", 5), ("B", 4)]
    assert told.found()["dropped"] == {"paused": 5}


def test_what_was_dropped_alone_is_no_reason_to_write() -> None:
    silent = Silent("mot-cua", NOW.date())

    assert digest_of({}, closed=3).is_empty
    assert not digest_of({("A", "due"): 1}).is_empty
    assert not digest_of({}, silent=(silent,)).is_empty
