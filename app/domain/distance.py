"""How far a line stands from each of its thresholds, in dossiers where it is a share of them."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil

from app.domain.expression import Arithmetic, Environment, Expression, Number, Unanswerable
from app.domain.method import Bands, Facts, First, Linear, Method


class Line(StrEnum):
    """What a threshold is: the floor below which little is left, the target, or a band."""

    FLOOR = "floor"
    TARGET = "target"
    BAND = "band"


@dataclass(frozen=True, slots=True)
class Threshold:
    """One threshold of a line.

    ``margin`` counts those that could still go wrong when it is reached, and, below zero, those
    that are wanting; for a value that is no share of counts it is the distance itself.
    """

    line: Line
    value: Fraction
    is_reached: bool
    margin: Number


def thresholds(method: Method, facts: Facts) -> tuple[Threshold, ...]:
    """Return the thresholds of a method with the distance to each, lowest first.

    Empty for a method without thresholds, and where an input is missing or there is nothing to
    divide by.
    """
    try:
        return tuple(sorted(_thresholds(method, facts), key=lambda one: one.value))
    except Unanswerable:
        return ()


def _thresholds(method: Method, facts: Facts) -> list[Threshold]:
    match method:
        case Linear():
            lines = [(Line.TARGET, method.target)]
            if method.floor is not None:
                lines.append((Line.FLOOR, method.floor))
            num, den = method.num.number(facts.env), method.den.number(facts.env)
            return [_share(line, value, num, den) for line, value in lines if den > 0]
        case Bands():
            return [_band(method.of, band.ge, facts.env) for band in method.table if band.ge > 0]
        case First():
            for alternative in method.alternatives:
                if alternative.when is None or alternative.when.truth(facts.env):
                    return _thresholds(alternative.method, facts)
            return []
        case _:
            return []


def _share(line: Line, value: Fraction, num: Number, den: Number) -> Threshold:
    margin = num - ceil(value * den)
    return Threshold(line, value, margin >= 0, margin)


def _band(of: Expression, value: Fraction, env: Environment) -> Threshold:
    match of.tree:
        case Arithmetic("/", left, right):
            of.number(env)  # refuses to divide by nothing
            return _share(Line.BAND, value, left.number(env), right.number(env))
        case _:
            margin = Fraction(of.number(env)) - value
            return Threshold(Line.BAND, value, margin >= 0, margin)
