"""Charts as geometry."""

from hypothesis import given
from hypothesis import strategies as st

from app.web.charts import HEIGHT, WIDTH, Column, ceiling, chart


@given(st.integers(0, 10**9))
def test_a_scale_ends_at_or_above_the_largest_and_not_far_above(largest: int) -> None:
    end = ceiling(largest)

    assert end >= largest
    assert end <= max(2, 2 * largest)


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 5_000), min_size=3, max_size=3), st.floats(0, 100)),
        max_size=20,
    )
)
def test_everything_is_drawn_inside_the_picture(parts: list[tuple[list[int], float]]) -> None:
    columns = [
        Column("x", "x", tuple((f"k{i}", n) for i, n in enumerate(numbers)), share)
        for numbers, share in parts
    ]

    drawn = chart(columns, floor=80.0)

    for bar in drawn.bars:
        for block in bar.blocks:
            assert 0 <= block.y <= block.y + block.height <= HEIGHT
            assert 0 <= block.x <= block.x + block.width <= WIDTH
    assert all(0 <= y <= HEIGHT and 0 <= x <= WIDTH for x, y, _ in drawn.dots)


def test_a_week_without_a_rate_has_no_dot() -> None:
    columns = [Column("a", "a", (("late", 1),), 50.0), Column("b", "b", (), None)]

    assert len(chart(columns, floor=0.0).dots) == 1


def test_bars_are_as_high_as_their_numbers() -> None:
    drawn = chart([Column("a", "a", (("early", 1), ("late", 3)), None)], floor=0.0)

    early, late = drawn.bars[0].blocks
    assert abs(late.height - 3 * early.height) < 0.5
