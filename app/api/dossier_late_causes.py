"""The cause of one dossier's lateness, as somebody named it."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, JsonValue

from app.api.doors import doors
from app.api.fields import CodeInPath, In, Instant, Out, Source
from app.api.late_causes import CauseId
from app.api.problems import problems
from app.deps import Now, Reading, Writing, needs
from app.domain.late_cause import UNCLASSIFIED
from app.store.late_causes import Said
from app.usecases import late_causes
from app.usecases.access import Principal
from app.usecases.dossiers import DossierAmbiguous, DossierUnknown
from app.usecases.late_causes import LateCauseUnknown
from app.usecases.subtree import reach_of

router = doors("/v1/dossiers", tag="dossiers")

Reader = Annotated[Principal, needs("dossiers:read")]
Writer = Annotated[Principal, needs("dossiers:write")]
EXAMPLE: Final[dict[str, JsonValue]] = {"cause": "other_agency"}


class LateCauseIn(In):
    """The cause that is named."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    cause: CauseId = Field(description=f"`{UNCLASSIFIED}`: bỏ phân loại. / Takes the word back.")


class SaidOut(Out):
    """What was said once."""

    cause: str = Field(examples=["other_agency"])
    by: str
    at: Instant


class DossierCauseOut(Out):
    """The cause of a dossier and everything that was said before."""

    code: str
    late_cause: str | None = Field(description="Null khi chưa phân loại. / Null: unclassified.")
    history: list[SaidOut]

    @classmethod
    def of(cls, code: str, said: list[Said]) -> "DossierCauseOut":
        """Return what was said, the oldest first."""
        last = said[-1].cause if said else UNCLASSIFIED
        return cls(
            code=code,
            late_cause=None if last == UNCLASSIFIED else last,
            history=[SaidOut(cause=one.cause, by=one.actor, at=one.recorded_at) for one in said],
        )


@router.get(
    "/{code}/late-cause",
    operation_id="getDossierLateCause",
    summary="Read why a dossier was late, as somebody said",
    responses=problems(DossierUnknown, DossierAmbiguous),
)
def get_dossier_late_cause(
    code: CodeInPath, session: Reading, who: Reader, source: Source = None
) -> DossierCauseOut:
    """Nguyên nhân trễ đã được phân loại, và mọi lần phân loại trước đó.

    The cause that was named last, and everything that was said before.
    """
    within = reach_of(who)
    said = late_causes.cause_history(session, code, source=source, within=within)
    return DossierCauseOut.of(code, said)


@router.put(
    "/{code}/late-cause",
    operation_id="putDossierLateCause",
    summary="Say why a dossier is late",
    responses=problems(DossierUnknown, DossierAmbiguous, LateCauseUnknown),
)
def put_dossier_late_cause(
    code: CodeInPath,
    body: LateCauseIn,
    session: Writing,
    who: Writer,
    now: Now,
    source: Source = None,
) -> DossierCauseOut:
    """Phân loại nguyên nhân trễ của một hồ sơ; hệ thống không bao giờ tự suy ra.

    Name the cause of a dossier's lateness; the service never infers one.
    """
    said = late_causes.put_cause(session, code, body.cause, source=source, who=who, now=now)
    return DossierCauseOut.of(code, said)
