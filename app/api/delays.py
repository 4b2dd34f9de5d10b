"""Whose time a dossier took: the applicant's, the unit's, other agencies'."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from app.api.doors import doors
from app.api.dossier_due_dates import JustBefore, ReadingAsked, SourceAsked
from app.api.fields import CodeInPath, Out
from app.api.problems import problems
from app.deps import Now, Reading, needs
from app.domain.attribution import Party, Stretch
from app.domain.timeliness import Reading as DueReading
from app.usecases import delays, dossiers
from app.usecases.access import Principal
from app.usecases.delays import Delay
from app.usecases.dossiers import DossierAmbiguous, DossierUnknown, DueDateMissing
from app.usecases.subtree import reach_of

router = doors("/v1/dossiers", tag="dossiers")


class StretchOut(Out):
    """A part of the life of a dossier that belongs to one party."""

    begins: datetime
    ends: datetime
    party: str = Field(
        description="`own_unit`, `applicant`, `other_agency` or `nobody` (closed, opened again).",
        examples=["other_agency"],
    )
    unit: str | None = Field(description="Who held it then.", examples=["H44.200"])
    leg: str | None = Field(description="Of a joint dossier, the leg.")
    pause: str | None = Field(description="The pause in which it lay.", examples=["supplement"])
    seconds: float

    @classmethod
    def of(cls, one: Stretch) -> "StretchOut":
        """Return a stretch as it is shown."""
        return cls(
            begins=one.begins,
            ends=one.ends,
            party=one.party.value,
            unit=one.unit,
            leg=one.leg,
            pause=None if one.pause is None else one.pause.value,
            seconds=one.length.total_seconds(),
        )


class PartyOut(Out):
    """What one party took in all, and of the time after the due moment."""

    party: str = Field(examples=["applicant"])
    seconds: float
    late_seconds: float
    working_seconds: float | None = Field(
        description="In working time of the unit; null when a year of its calendar is missing."
    )
    late_working_seconds: float | None


class DelayOut(Out):
    """The life of a dossier until its end or the moment asked for, split by party."""

    code: str
    source: str
    unit: str
    reading: str = Field(examples=["promised"])
    as_of: datetime
    begins: datetime
    ends: datetime
    due_at: datetime | None
    held_at_due: StretchOut | None = Field(
        description="Who held the dossier at its due moment; null when it had ended before."
    )
    held_now: StretchOut | None = Field(description="Who holds it now; null when it has ended.")
    parties: list[PartyOut]
    stretches: list[StretchOut] = Field(
        description="In order and without a gap: they add up to the whole."
    )


@router.get(
    "/{code}/delay",
    operation_id="getDossierDelay",
    summary="Tell whose time a dossier took, and whose the delay was",
    responses=problems(DossierUnknown, DossierAmbiguous, DueDateMissing),
)
def get_dossier_delay(
    code: CodeInPath,
    session: Reading,
    who: Annotated[Principal, needs("dossiers:read")],
    now: Now,
    reading: ReadingAsked = DueReading.PROMISED,
    source: SourceAsked = None,
    as_of: JustBefore = None,
) -> DelayOut:
    """Thời gian xử lý chia theo bên: công dân, đơn vị, cơ quan khác; ai giữ hồ sơ khi đến hạn.

    The life of the dossier by party: the applicant while they are asked, other agencies while they
    hold a leg or are asked, the unit otherwise; and who held it at its due moment.
    """
    whole = dossiers.get_dossier(
        session, code, within=reach_of(who), source=source, as_of=as_of or now
    )
    delay = delays.delay_of(session, whole, reading=reading)
    return DelayOut(
        code=whole.row["code"],
        source=whole.found.source,
        unit=whole.found.unit,
        reading=reading.value,
        as_of=whole.as_of,
        begins=delay.begins,
        ends=delay.ends,
        due_at=delay.due_at,
        held_at_due=None if delay.at_due is None else StretchOut.of(delay.at_due),
        held_now=None if delay.now is None else StretchOut.of(delay.now),
        parties=[_party(delay, party) for party in Party],
        stretches=[StretchOut.of(one) for one in delay.stretches],
    )


def _party(delay: Delay, party: Party) -> PartyOut:
    def of(stretches: tuple[Stretch, ...]) -> float:
        own = (one.length for one in stretches if one.party is party)
        return sum(own, timedelta()).total_seconds()

    working, late = delay.working, delay.working_late
    return PartyOut(
        party=party.value,
        seconds=of(delay.stretches),
        late_seconds=of(delay.late),
        working_seconds=None if working is None else working[party].total_seconds(),
        late_working_seconds=None if late is None else late[party].total_seconds(),
    )
