"""The distance of a line to its thresholds, in dossiers."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from app.domain.distance import Line, thresholds
from app.domain.expression import Kind, parse
from app.domain.method import Alternative, Band, Bands, Facts, First, Fixed, Linear, YesNo

FLOOR = Fraction(95, 100)


def number(text: str) -> Linear:
    return Linear(parse(text, Kind.NUMBER), parse("all", Kind.NUMBER), floor=FLOOR)


LINE = number("good")


@given(st.integers(1, 10_000), st.data())
def test_the_margin_of_a_floor_is_how_many_may_still_go_wrong(
    total: int, data: st.DataObject
) -> None:
    good = data.draw(st.integers(0, total))

    floor, target = thresholds(LINE, Facts({"good": good, "all": total}))

    assert (floor.line, target.line) == (Line.FLOOR, Line.TARGET)
    assert Fraction(good - int(floor.margin), total) >= FLOOR
    assert Fraction(good - int(floor.margin) - 1, total) < FLOOR
    assert floor.is_reached is (floor.margin >= 0)
    assert target.margin == good - total


def test_bands_of_a_share_are_measured_in_dossiers_and_others_as_they_are() -> None:
    table = (Band(Fraction(8, 10), Fixed(Fraction(1))), Band(Fraction(0), Fixed(Fraction(0))))
    share = Bands(parse("a / b", Kind.NUMBER), table)
    mean = Bands(parse("a", Kind.NUMBER), table)

    (by_share,) = thresholds(share, Facts({"a": 70, "b": 100}))
    (by_value,) = thresholds(mean, Facts({"a": 1}))

    assert (by_share.line, by_share.is_reached, by_share.margin) == (Line.BAND, False, -10)
    assert by_value.margin == Fraction(2, 10)


def test_without_inputs_or_without_thresholds_there_is_none() -> None:
    taken = First((Alternative(parse("x == 1", Kind.TRUTH), LINE), Alternative(None, YesNo("x"))))

    assert thresholds(LINE, Facts({"good": 1})) == ()
    assert thresholds(LINE, Facts({"good": 0, "all": 0})) == ()
    assert thresholds(YesNo("x"), Facts({"x": 1})) == ()
    assert len(thresholds(taken, Facts({"x": 1, "good": 1, "all": 1}))) == 2
    assert thresholds(taken, Facts({"x": 0})) == ()
    assert thresholds(First(taken.alternatives[:1]), Facts({"x": 0})) == ()
