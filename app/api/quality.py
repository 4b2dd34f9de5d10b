"""Data quality: what is worth a look in accepted dossiers, with its list and its trend."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Query
from pydantic import Field

from app.api.doors import doors
from app.api.fields import FirstDay, Instant, LastDay, Out, UnitAsked
from app.api.problems import problems
from app.deps import Language, Now, Reading, needs
from app.domain.dossier import Issue
from app.domain.period import Period, PeriodReversed
from app.domain.quality import MANY
from app.i18n import phrase
from app.store.units import UnitUnknown
from app.usecases import quality
from app.usecases.access import Principal
from app.usecases.quality import Line
from app.usecases.reporting import Extent, Question, TooManyParts
from app.usecases.subtree import unit_of

router = doors("/v1/data-quality", tag="statistics")

Reader = Annotated[Principal, needs("statistics:read")]
NUMBERS: Final = {"many": MANY}
"""The numbers that the sentences of the rules name."""


class MonthOut(Out):
    """One month, or the part of it that lies in the period."""

    month: str = Field(examples=["2026-08"])
    count: int
    dossiers: str = Field(description="Danh sách của tháng. / The list of the month.")


class IssueOut(Out):
    """One thing to look at: it describes and does not accuse."""

    code: str = Field(examples=["finish_backdated"])
    severity: str = Field(
        description="`information` để biết, `attention` cần xem, `serious` nghiêm trọng.",
        examples=["serious"],
    )
    title: str
    rule: str = Field(description="Quy tắc tìm ra. / The rule that finds it.")
    count: int = Field(
        description="Số hồ sơ, đúng bằng số dòng của danh sách. / As many as the list has rows."
    )
    first_seen: Instant | None = Field(description="Lần đầu ta biết. / When we first knew.")
    last_seen: Instant | None = Field(description="Lần gần nhất. / When we last knew.")
    dossiers: str = Field(description="Danh sách hồ sơ. / The list.")
    trend: list[MonthOut] = Field(
        description="Theo tháng; một hồ sơ có thể ở nhiều tháng. / A dossier may be in several."
    )


class QualityOut(Out):
    """The board of a unit and a period."""

    as_of: Instant
    issues: list[IssueOut]


@router.get(
    "",
    operation_id="getDataQuality",
    summary="Count what is worth a look, month by month",
    responses=problems(UnitUnknown, PeriodReversed, TooManyParts),
)
def get_data_quality(
    session: Reading,
    who: Reader,
    now: Now,
    language: Language,
    unit: UnitAsked,
    first: FirstDay,
    last: LastDay,
    scope: Annotated[
        Extent, Query(description="Riêng đơn vị hay cả nhánh. / Alone or with all below.")
    ] = Extent.SUBTREE,
    issue: Annotated[
        Issue | None, Query(description="Chỉ một điểm cần xem. / One issue alone.")
    ] = None,
) -> QualityOut:
    """Những điểm cần xem lại của hồ sơ trong kỳ; mô tả, không quy kết. Mỗi số mở đúng danh sách.

    Things to look at among the dossiers of a period: those of which anything happened in it, and
    those that still wait at its end. Every count opens a list of as many rows.
    """
    question = Question(unit=unit_of(session, who, unit), period=Period(first, last), extent=scope)
    board = quality.board(session, question, only=issue, now=now)
    return QualityOut(
        as_of=board.as_of,
        issues=[_issue(line, question, language) for line in board.lines],
    )


def _issue(line: Line, question: Question, language: Language) -> IssueOut:
    return IssueOut(
        code=line.issue.value,
        severity=line.severity.value,
        title=phrase(language, f"web.issue.{line.issue}"),
        rule=phrase(language, f"quality.{line.issue}", NUMBERS),
        count=line.count,
        first_seen=line.first_seen,
        last_seen=line.last_seen,
        dossiers=_list(line.issue, question, question.period),
        trend=[
            MonthOut(
                month=month.label,
                count=month.count,
                dossiers=_list(line.issue, question, month.period),
            )
            for month in line.trend
        ],
    )


def _list(issue: Issue, question: Question, period: Period) -> str:
    query = {
        "unit": question.unit.code,
        "scope": question.extent.value,
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "flag": issue.value,
    }
    return f"/v1/dossiers?{urlencode(query)}"
