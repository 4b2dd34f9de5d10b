"""Limits of a procedure: the version in force for the day, the case and the channel."""

from datetime import date

from app.domain.limits import TimeLimit
from app.domain.procedure import LimitVersion, Procedure
from app.domain.record import Channel


def version(days: int, first: date, **more: object) -> LimitVersion:
    """Return a limit of working days."""
    return LimitVersion(TimeLimit.working_days(days), first, **more)  # type: ignore[arg-type]  # facts by keyword


OLD = version(5, date(2020, 1, 1), valid_to=date(2025, 6, 30))
NEW = version(3, date(2025, 7, 1))
ONLINE = version(2, date(2025, 7, 1), channel=Channel.ONLINE)
HARD = version(10, date(2025, 7, 1), case="hard")
PROCEDURE = Procedure("1.001193", (OLD, NEW, ONLINE, HARD))


def held(
    day: date, case: str | None = None, channel: Channel = Channel.POST
) -> LimitVersion | None:
    """Return the version that holds."""
    return PROCEDURE.limit_at(day, case=case, channel=channel)


def test_the_version_of_the_day_holds_to_its_last_day() -> None:
    assert held(date(2025, 6, 30)) is OLD
    assert held(date(2025, 7, 1)) is NEW


def test_before_the_first_version_nothing_is_guessed() -> None:
    assert held(date(2019, 12, 31)) is None


def test_the_most_particular_version_wins() -> None:
    assert held(date(2026, 1, 5), channel=Channel.ONLINE) is ONLINE
    assert held(date(2026, 1, 5), case="hard") is HARD
    assert held(date(2026, 1, 5), case="hard", channel=Channel.ONLINE) is HARD
    assert held(date(2026, 1, 5), case="easy") is NEW
