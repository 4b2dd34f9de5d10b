"""The board of data quality: what is worth a look, how often, since when, month by month."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.dossier import Issue
from app.domain.period import Period, Step
from app.domain.quality import SEVERITIES, Severity
from app.store import quality, tallies
from app.store.session import ReadSession
from app.usecases.reporting import Question, TooManyParts

MOST_MONTHS: Final = 36
"""How many months one board may show."""

_WEIGHT: Final = {severity: place for place, severity in enumerate(reversed(Severity))}


@dataclass(frozen=True, slots=True)
class Month:
    """The dossiers of one month, or of its part in the period, that show an issue."""

    label: str
    period: Period
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """One issue: how many dossiers of the period show it, and when we first and last knew so."""

    issue: Issue
    severity: Severity
    count: int
    first_seen: datetime | None
    last_seen: datetime | None
    trend: tuple[Month, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """Every issue, the weightiest and most frequent first; ``as_of`` is T, exclusive."""

    as_of: datetime
    lines: tuple[Line, ...]


def board(
    session: ReadSession, question: Question, *, only: Issue | None = None, now: datetime
) -> Board:
    """Count the dossiers of a period that show each issue; each count is that of its list.

    A dossier belongs to a period if something happened with it in the period, or if it still
    waited at its end; so it may be in several months.

    :raises TooManyParts: the period has too many months.
    """
    as_of = question.period.observed_at(question.as_of, now=now)
    months = [part for part in question.period.parts(Step.MONTH) if part[1].begins < as_of]
    if len(months) > MOST_MONTHS:
        raise TooManyParts(most=MOST_MONTHS)
    scope = question.scope(as_of)
    found = quality.counts(
        session,
        tree=tallies.tree_of(session, scope),
        begins=question.period.begins,
        ends=as_of,
        parts=[(month.begins, min(month.ends, as_of)) for _, month in months],
    )
    lines = [_line(issue, found.get(issue), months) for issue in Issue if only in (None, issue)]
    lines.sort(key=lambda line: (_WEIGHT[line.severity], -line.count, line.issue))
    return Board(as_of, tuple(lines))


def _line(issue: Issue, shown: quality.Shown | None, months: list[tuple[str, Period]]) -> Line:
    return Line(
        issue=issue,
        severity=SEVERITIES[issue],
        count=0 if shown is None else shown.count,
        first_seen=None if shown is None else shown.first_seen,
        last_seen=None if shown is None else shown.last_seen,
        trend=tuple(
            Month(label, month, 0 if shown is None else shown.parts.get(number, 0))
            for number, (label, month) in enumerate(months, start=1)
        ),
    )
