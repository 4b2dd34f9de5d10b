"""Count periods: from the facts where they can tell, else by a look at every dossier.

Both give the same numbers, to the last dossier; only the time differs.
"""

from collections.abc import Sequence

from app.domain.tally import Count, Tally
from app.store import facts, tallies
from app.store.session import ReadSession
from app.store.tallies import Dimension, Row, Scope, Span


def counts(
    session: ReadSession,
    scope: Scope,
    spans: Sequence[Span],
    *,
    by: Sequence[Dimension] = (),
    of: int | None = None,
) -> list[list[Row]]:
    """Return the rows of each period, one per combination of the dimensions that counts anything.

    Without a dimension each period has its one row. ``of`` is the unit whose children make the
    rows of ``Dimension.CHILD``.
    """
    found = facts.counts(session, scope, spans, by=by, of=of)
    if found is not None:
        return found
    return [
        [
            row
            for row in tallies.counts(session, scope, span, by=by, of=of)
            if not by or any(row.tally.values)
        ]
        for span in spans
    ]


def by_unit(
    session: ReadSession, scope: Scope, span: Span, *, wanted: Sequence[Count]
) -> dict[str, tuple[int, ...]]:
    """Return a few counts of each unit that counts any of them, by its code, in the order asked."""
    found = facts.sums(session, scope, span, wanted=wanted)
    if found is not None:
        return found
    rows = tallies.counts(session, scope, span, by=[Dimension.UNIT])
    told = ((row.keys[0] or "", tuple(row.tally[one] for one in wanted)) for row in rows)
    return {unit: values for unit, values in told if any(values)}


def passing(
    session: ReadSession, scope: Scope, spans: Sequence[Span], *, wanted: Sequence[Count]
) -> list[Tally]:
    """Return counts of what passed in each of some periods that follow one another.

    Each tally holds the wanted counts and nothing else.
    """
    found = facts.counts(session, scope, spans)
    if found is not None:
        return [
            Tally.from_mapping(
                {count.value: sum(row.tally[count] for row in rows) for count in wanted}
            )
            for rows in found
        ]
    whole = Span(spans[0].begins, spans[-1].ends, spans[0].first, spans[-1].last)
    starts = [span.begins for span in spans]
    return tallies.passed_by_part(session, scope, whole, starts=starts, wanted=wanted)
