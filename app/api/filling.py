"""Fill the inputs of many sheets at once."""

from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from app.api.doors import doors
from app.api.fields import CodeInPath, Out
from app.api.problems import problems
from app.api.quarantine import ReasonOut
from app.api.scorecards import PeriodAsked, Writer
from app.deps import Language, Now, Writing
from app.domain.almanac import CalendarYearMissing
from app.domain.assessment import PeriodUnreadable, read_period
from app.domain.faults import Fault
from app.domain.period import PeriodReversed
from app.i18n import Language as LanguageCode
from app.i18n import phrase
from app.rulebook.petitions import PetitionLimitsMissing
from app.rulebook.rule_sets import RuleSetNotInForce, UnknownRuleSet
from app.store.units import UnitUnknown
from app.usecases import filling
from app.usecases.filling import Filled
from app.usecases.rule_sets import PeriodAcrossChange
from app.usecases.scorecards import UnitNotAssessed
from app.usecases.subtree import unit_of

router = doors("/v1/scorecards", tag="index")

REFUSALS: Final = (
    *(UnknownRuleSet, RuleSetNotInForce, PeriodAcrossChange, PeriodUnreadable, PeriodReversed),
    *(UnitUnknown, UnitNotAssessed, CalendarYearMissing, PetitionLimitsMissing),
)


class NotFilledOut(Out):
    """A sheet that could not be written on, and why."""

    unit: str = Field(examples=["H44.100"])
    reasons: list[ReasonOut]


class FilledOut(Out):
    """What was written on the sheets of units."""

    rule_set: str
    changed: dict[str, int] = Field(
        description="Số ô đã ghi theo đơn vị; 0: đã đúng từ trước. / Numbers written, by unit.",
        examples=[{"H44.100": 4}],
    )
    refused: list[NotFilledOut]


def reasons(faults: tuple[Fault, ...], language: LanguageCode) -> list[ReasonOut]:
    """Return faults with their sentences."""
    return [
        ReasonOut(
            pointer=fault.pointer,
            code=fault.code,
            detail=phrase(language, fault.code, fault.params),
        )
        for fault in faults
    ]


def filled_out(rule_set: str, done: Filled, language: LanguageCode) -> FilledOut:
    """Return what was written, as it is shown."""
    return FilledOut(
        rule_set=rule_set,
        changed=dict(done.changed),
        refused=[
            NotFilledOut(unit=unit, reasons=reasons(faults, language))
            for unit, faults in done.refused
        ],
    )


@router.post(
    "/{rule_set}/fill",
    operation_id="fillScorecards",
    summary="Fill inputs from the registers",
    responses=problems(*REFUSALS),
)
def fill(
    rule_set: CodeInPath,
    session: Writing,
    who: Writer,
    now: Now,
    language: Language,
    period: PeriodAsked,
    unit: Annotated[
        str, Query(max_length=100, description="Đơn vị và bên dưới. / A unit and all below it.")
    ],
) -> FilledOut:
    """Ghi số đếm của sổ công khai và sổ phản ánh vào phiếu chấm; số đã khai tay giữ nguyên.

    Write what the registers of publications and petitions count on the sheets of units, with a
    note that names the count. A number told by hand stays; a unit of which a register holds
    nothing gets nothing of it. The same again writes nothing.
    """
    root = unit_of(session, who, unit)
    done = filling.from_registers(
        session, rule_set, read_period(period), root=root, who=who, now=now
    )
    return filled_out(rule_set, done, language)
