"""What the doors of registers share."""

from datetime import UTC, date, datetime

from app.api.registers import counted, local_day
from app.domain.period import Period
from app.domain.publication import PublicationCount


def test_the_local_day_begins_at_seventeen_hours_of_the_day_before_in_utc() -> None:
    assert local_day(datetime(2026, 7, 31, 16, 59, tzinfo=UTC)) == date(2026, 7, 31)
    assert local_day(datetime(2026, 7, 31, 17, 0, tzinfo=UTC)) == date(2026, 8, 1)


def test_rows_are_in_the_order_of_units_and_add_up() -> None:
    two = {name: place for place, name in enumerate(PublicationCount)}
    one = dict.fromkeys(PublicationCount, 1)

    found = counted(PublicationCount, {"B": two, "A": one}, Period(date(2026, 1, 1), date.max))

    assert [row.unit for row in found.rows] == ["A", "B"]
    assert found.total == {name.value: place + 1 for name, place in two.items()}
