"""The letters of apology of one dossier, told through its record."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, JsonValue

from app.api.doors import doors
from app.api.fields import CodeInPath, In, Instant, Out, Source, Text
from app.api.letters import LetterOut
from app.api.problems import Refused, problems
from app.deps import Now, Reading, Writing, needs
from app.usecases import letters
from app.usecases.access import Principal, ScopeMissing
from app.usecases.dossiers import DossierAmbiguous, DossierUnknown
from app.usecases.letters import (
    Apology,
    ApologyTold,
    ExemptionUnknown,
    LetterUnclear,
    NewDateNotLater,
)
from app.usecases.subtree import reach_of

router = doors("/v1/dossiers", tag="dossiers")

Reader = Annotated[Principal, needs("dossiers:read")]
Writer = Annotated[Principal, needs("dossiers:write")]
EXAMPLE: Final[dict[str, JsonValue]] = {
    "issued_at": "2026-08-04T10:00:00+07:00",
    "new_due_at": "2026-08-12T17:00:00+07:00",
    "document": "15/TXL-UBND",
}


class ApologyIn(In):
    """A letter (`issued_at`, perhaps with a new date), or why none is needed."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    issued_at: Instant | None = None
    new_due_at: Instant | None = Field(
        None, description="Ngày hẹn trả mới. / The new date; null for an apology without one."
    )
    document: Text | None = Field(None, description="Số văn bản. / Number of the letter.")
    exempt_reason: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="Lý do không phải xin lỗi, xem /v1/letters/exemptions. / Why none."
    )


class ApologyOut(Out):
    """What a dossier has of letters."""

    code: str
    source: str
    state: str | None = Field(
        description="`owed`, `issued`, `exempt`; null: không trễ, chưa có thư. / Null: not late.",
        examples=["issued"],
    )
    letters: list[LetterOut]

    @classmethod
    def of(cls, found: Apology) -> "ApologyOut":
        """Return the letters as they are shown."""
        return cls(
            code=found.code,
            source=found.source,
            state=None if found.state is None else found.state.value,
            letters=[LetterOut.of(one) for one in found.letters],
        )


@router.get(
    "/{code}/apology",
    operation_id="getApology",
    summary="Read the letters of apology of a dossier",
    responses=problems(DossierUnknown, DossierAmbiguous),
)
def get_apology(
    code: CodeInPath, session: Reading, who: Reader, now: Now, source: Source = None
) -> ApologyOut:
    """Các thư xin lỗi của hồ sơ: số, ngày, ngày hẹn mới, lần thứ mấy, trước hay sau hạn.

    The letters of a dossier, in the order in which they were issued.
    """
    within = reach_of(who)
    found = letters.get_apology(session, code, source=source, within=within, now=now)
    return ApologyOut.of(found)


@router.put(
    "/{code}/apology",
    operation_id="putApology",
    summary="Tell a letter of apology, or why none is needed",
    responses=problems(
        DossierUnknown,
        DossierAmbiguous,
        ScopeMissing,
        LetterUnclear,
        ExemptionUnknown,
        NewDateNotLater,
    ),
)
def put_apology(
    code: CodeInPath,
    body: ApologyIn,
    session: Writing,
    who: Writer,
    now: Now,
    source: Source = None,
) -> ApologyOut:
    """Ghi nhận thư xin lỗi hoặc lý do được miễn, như một sự kiện của chính hồ sơ.

    Tell a letter or an exemption as a message of the dossier's own record. Telling it again
    changes nothing; a number told later is added. The promised date never moves by it.
    """
    told = ApologyTold(body.issued_at, body.new_due_at, body.document, body.exempt_reason)
    verdict = letters.put_apology(session, code, told, source=source, who=who, now=now)
    if verdict is not None and not letters.is_taken(verdict):
        raise Refused(faults=verdict.faults)
    within = reach_of(who)
    named = source or who.source_code
    found = letters.get_apology(session, code, source=named, within=within, now=now)
    return ApologyOut.of(found)
