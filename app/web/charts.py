"""Charts as geometry: the template draws them as SVG, so they print and need no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 300
LEFT: Final = 52
RIGHT: Final = 60
TOP: Final = 18
BOTTOM: Final = 34
STEPS: Final = (2, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Column:
    """One part of time: a label, the counts stacked in it, and a share in percent."""

    label: str
    title: str
    parts: tuple[tuple[str, int], ...]
    percent: float | None


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of one kind."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A stack of blocks with its label."""

    x: float
    label: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across, with the words at its end."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars by the scale on the left, a line of shares by the scale on the right."""

    width: int
    height: int
    left: int
    right: int
    base: float
    bars: tuple[Bar, ...]
    line: str
    dots: tuple[tuple[float, float, str], ...]
    marks: tuple[Mark, ...]
    shares: tuple[Mark, ...]


def chart(columns: Sequence[Column], *, floor: float) -> Chart:
    """Lay out columns; the scale of shares begins at ``floor`` percent."""
    height = HEIGHT - TOP - BOTTOM
    base = float(HEIGHT - BOTTOM)
    step = (WIDTH - LEFT - RIGHT) / max(len(columns), 1)
    width = min(step * 0.62, 46.0)
    top = ceiling(max((sum(n for _, n in column.parts) for column in columns), default=0))
    bars, dots = [], []
    for index, column in enumerate(columns):
        middle = LEFT + step * (index + 0.5)
        bars.append(_bar(column, middle, width, base, height / top))
        if column.percent is not None:
            share = (max(column.percent, floor) - floor) / (100 - floor)
            dots.append((round(middle, 1), round(base - share * height, 1), column.title))
    line = " ".join(f"{x},{y}" for x, y, _ in dots)
    quarter = (100 - floor) / 4
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        base=base,
        bars=tuple(bars),
        line=line,
        dots=tuple(dots),
        marks=tuple(
            Mark(round(base - height * part / 2, 1), str(round(top * part / 2)))
            for part in range(3)
        ),
        shares=tuple(
            Mark(round(base - height * part / 4, 1), f"{floor + quarter * part:g}%")
            for part in (0, 2, 4)
        ),
    )


def _bar(column: Column, middle: float, width: float, base: float, scale: float) -> Bar:
    blocks, y = [], base
    for kind, number in column.parts:
        high = number * scale
        y -= high
        blocks.append(
            Block(kind, round(middle - width / 2, 1), round(y, 1), round(width, 1), round(high, 1))
        )
    return Bar(round(middle, 1), column.label, column.title, tuple(blocks))


def ceiling(largest: int) -> int:
    """Return the next number that reads well at the end of a scale."""
    size = 1
    while True:
        for step in STEPS:
            if step * size >= largest:
                return step * size
        size *= 10
