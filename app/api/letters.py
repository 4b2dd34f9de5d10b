"""Letters of apology: owed, issued, exempt; their register, and the letter to print."""

from datetime import date, datetime
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Path, Query, Request, Response
from pydantic import Field
from starlette.responses import HTMLResponse

from app.api.docs import page as page_of
from app.api.doors import doors
from app.api.fields import Day, Instant, Out, Source, UnitAsked, UnitsBelow
from app.api.pages import link_next
from app.api.problems import problems
from app.deps import CursorInvalid, Language, Now, Page, Reading, needs
from app.domain.dossier import ZONE
from app.domain.file_type import KINDS, FileType
from app.domain.letter import LetterState
from app.domain.period import Period, PeriodReversed
from app.exports import letter as letter_words
from app.exports import letter_register
from app.exports.letter import LetterWords
from app.exports.letter_register import RegisterRow
from app.i18n import Language as LanguageCode
from app.rulebook.letter_exemptions import load_exemptions
from app.store.letters import Place
from app.store.session import ReadSession
from app.store.units import UnitUnknown
from app.usecases import letters
from app.usecases.access import Principal
from app.usecases.dossiers import DossierAmbiguous, DossierUnknown
from app.usecases.letters import (
    LetterLine,
    LetterNumberUnknown,
    ListedLetter,
    RegisterTooLong,
)
from app.usecases.outbox import told
from app.usecases.subtree import Subtree, reach_of, subtree_of, unit_of

router = doors("/v1/letters", tag="alerts")

Reader = Annotated[Principal, needs("dossiers:read")]
Code = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[0-9A-Za-z~][0-9A-Za-z._~-]*$")]
Number = Annotated[
    int | None,
    Query(ge=1, le=20, description="Lần thứ mấy; mặc định lần cuối. / Which one; the last one."),
]
NewDate = Annotated[
    Day | None,
    Query(description="Ngày hẹn mới của thư chưa ban hành. / New date of a letter to be issued."),
]
PDF: Final = KINDS[FileType.PDF].media_type
XLSX: Final = KINDS[FileType.XLSX].media_type


class LetterOut(Out):
    """One letter, or one exemption from it."""

    issued_at: Instant
    new_due_at: Instant | None
    document: str | None = Field(examples=["15/TXL-UBND"])
    reason: str | None
    is_exemption: bool
    sequence: int | None = Field(description="Lần gia hạn thứ mấy. / Which extension it is.")
    is_second_extension: bool = Field(description="Gia hạn quá một lần. / Extended before.")
    timing: str = Field(examples=["before_due_day"])

    @classmethod
    def of(cls, listed: ListedLetter) -> "LetterOut":
        """Return a letter as it is shown."""
        one = listed.letter
        return cls(
            issued_at=one.issued_at,
            new_due_at=one.new_due_at,
            document=one.document,
            reason=one.reason,
            is_exemption=one.is_exemption,
            sequence=one.sequence,
            is_second_extension=one.is_second_extension,
            timing=listed.timing.value,
        )


class LetterLineOut(Out):
    """A late dossier and its letters."""

    code: str = Field(examples=["H44.100-260803-0012"])
    source: str
    unit: str = Field(examples=["H44.100"])
    procedure: str | None
    state: str = Field(examples=["open_overdue"])
    due_on: date
    due_at: datetime
    late_working_days: int | None = Field(description="Khi còn đang giải quyết. / While open.")
    late_cause: str | None
    letters: list[LetterOut]
    links: dict[str, str]

    @classmethod
    def of(cls, line: LetterLine) -> "LetterLineOut":
        """Return a line as it is shown."""
        row = line.row
        path, source = quote(row.place.code, safe=""), f"?source={quote(row.source, safe='')}"
        return cls(
            code=row.place.code,
            source=row.source,
            unit=row.unit,
            procedure=row.procedure,
            state=row.state.name.lower(),
            due_on=row.due_on,
            due_at=row.due_at,
            late_working_days=line.late_working_days,
            late_cause=line.late_cause,
            letters=[LetterOut.of(one) for one in line.letters],
            links={
                "dossier": f"/v1/dossiers/{path}{source}",
                "html": f"/v1/letters/{path}.html{source}",
                "pdf": f"/v1/letters/{path}.pdf{source}",
            },
        )


class LettersOut(Out):
    """A page of late dossiers by the state of their letter, oldest first."""

    state: str
    total: int
    letters: list[LetterLineOut]
    next_cursor: str | None


class ExemptionOut(Out):
    """A reason for which no letter is needed."""

    code: str = Field(examples=["force_majeure"])
    vi: str
    en: str


class ExemptionsOut(Out):
    """The reasons for which no letter is needed."""

    exemptions: list[ExemptionOut]
    next_cursor: None = None


def period_of(first: date | None, last: date | None, now: datetime) -> Period:
    """Return the days asked about: from the first day of the year of the last one to today.

    :raises PeriodReversed: the last day lies before the first.
    """
    final = last or now.astimezone(ZONE).date()
    return Period(first or final.replace(month=1, day=1), final)


First = Annotated[
    Day | None, Query(alias="from", description="Từ ngày; mặc định đầu năm. / From; 1 January.")
]
Last = Annotated[
    Day | None, Query(alias="to", description="Đến ngày; mặc định hôm nay. / To; today if absent.")
]


@router.get(
    "",
    operation_id="listLetters",
    summary="List late dossiers by the state of their letter of apology",
    responses=problems(UnitUnknown, CursorInvalid, PeriodReversed),
)
def list_letters(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    now: Now,
    page: Page,
    state: Annotated[
        LetterState, Query(description="Còn nợ, đã ban hành hay được miễn. / Owed, issued, exempt.")
    ] = LetterState.OWED,
    unit: UnitsBelow = None,
    first: First = None,
    last: Last = None,
) -> LettersOut:
    """Hồ sơ trễ còn nợ thư xin lỗi, đã có thư, hoặc được miễn; kèm thư để in.

    Late dossiers, open or finished, that owe a letter, have one, or need none. Those owed and
    exempt are of the due days of the period, those issued of the days of their first letter.
    """
    within = subtree_of(session, who, unit)
    filters = {"state": state, "unit": unit, "from": first, "to": last}
    found = letters.list_letters(
        session,
        within=within,
        state=state,
        period=period_of(first, last, now),
        now=now,
        after=_place(page.position(**filters)),
        limit=page.limit,
    )
    cursor = page.cursor_after(_spelled(found.after), **filters) if found.after else None
    link_next(request, response, cursor)
    return LettersOut(
        state=state.value,
        total=found.total,
        letters=[LetterLineOut.of(line) for line in found.lines],
        next_cursor=cursor,
    )


@router.get(
    "/exemptions",
    operation_id="listLetterExemptions",
    summary="List the reasons for which no letter is needed",
)
def list_letter_exemptions(who: Reader) -> ExemptionsOut:
    """Danh mục lý do không phải xin lỗi; đơn vị chọn và chịu trách nhiệm.

    Reasons for which no letter is needed; the office answers for its choice.
    """
    del who
    found = load_exemptions().values()
    return ExemptionsOut(
        exemptions=[ExemptionOut(code=one.code, vi=one.vi, en=one.en) for one in found]
    )


@router.get(
    "/register.xlsx",
    operation_id="getLetterRegister",
    summary="Take the register of letters away as a workbook",
    response_class=Response,
    responses={
        200: {"description": "The workbook.", "content": {XLSX: {}}},
        **problems(UnitUnknown, PeriodReversed, RegisterTooLong),
    },
)
def get_letter_register(
    session: Reading,
    who: Reader,
    now: Now,
    language: Language,
    unit: UnitAsked,
    first: First = None,
    last: Last = None,
) -> Response:
    """Sổ theo dõi thư xin lỗi: số, ngày, ngày hẹn mới, lần gia hạn, trước hay sau hạn.

    The register: number, day, new date, which extension, before or after the due day.
    """
    owner = unit_of(session, who, unit)
    period = period_of(first, last, now)
    lines = letters.register(session, within=Subtree(owner.lft, owner.rgt), period=period, now=now)
    made = letter_register.workbook(
        [row for line in lines for row in _register_rows(line)],
        unit=owner.name,
        first=period.first,
        last=period.last,
        language=language,
    )
    headers = {"Content-Disposition": f'attachment; filename="letters-{owner.code}.xlsx"'}
    return Response(made, media_type=XLSX, headers=headers)


@router.get(
    "/{code}.html",
    operation_id="getLetterPage",
    summary="Print the letter of apology of a dossier",
    response_class=HTMLResponse,
    responses=problems(DossierUnknown, DossierAmbiguous, LetterNumberUnknown),
)
def get_letter_page(
    code: Code,
    session: Reading,
    who: Reader,
    now: Now,
    source: Source = None,
    number: Number = None,
    new_due_on: NewDate = None,
) -> Response:
    """Văn bản xin lỗi để in, bằng tiếng Việt; tên người nộp để trống, điền tay.

    The letter to print, in Vietnamese; the applicant's name is left to be filled in by hand.
    """
    words = _words(session, code, who, source=source, number=number, new_due_on=new_due_on, now=now)
    answer = page_of("letter.html", LanguageCode.VI, letter=words)
    answer.headers["Content-Language"] = "vi"
    answer.headers["Vary"] = "Authorization"
    return answer


@router.get(
    "/{code}.pdf",
    operation_id="getLetterFile",
    summary="Take the letter of apology of a dossier away as a PDF",
    response_class=Response,
    responses={
        200: {"description": "The letter.", "content": {PDF: {}}},
        **problems(DossierUnknown, DossierAmbiguous, LetterNumberUnknown),
    },
)
def get_letter_file(
    code: Code,
    session: Reading,
    who: Reader,
    now: Now,
    source: Source = None,
    number: Number = None,
    new_due_on: NewDate = None,
) -> Response:
    """Văn bản xin lỗi dạng PDF, phông chữ đi kèm; cùng nội dung với trang in.

    The same letter as a PDF with its fonts inside.
    """
    words = _words(session, code, who, source=source, number=number, new_due_on=new_due_on, now=now)
    headers = {
        "Content-Disposition": f'inline; filename="letter-{code}.pdf"',
        "Content-Language": "vi",
        "Vary": "Authorization",
    }
    return Response(letter_words.pdf(words), media_type=PDF, headers=headers)


def _words(
    session: ReadSession,
    code: str,
    who: Principal,
    *,
    source: str | None,
    number: int | None,
    new_due_on: date | None,
    now: datetime,
) -> LetterWords:
    facts = letters.get_facts(
        session,
        code,
        source=source,
        within=reach_of(who),
        number=number,
        new_due_on=new_due_on,
        now=now,
    )
    return letter_words.written(facts)


def _register_rows(line: LetterLine) -> list[RegisterRow]:
    return [
        RegisterRow(
            number=one.letter.document,
            issued_on=one.letter.issued_at.astimezone(ZONE).date(),
            code=line.row.place.code,
            unit=line.row.unit,
            procedure=line.row.procedure,
            due_on=line.row.due_on,
            new_due_on=None
            if one.letter.new_due_at is None
            else one.letter.new_due_at.astimezone(ZONE).date(),
            sequence=one.letter.sequence,
            timing=one.timing.value,
            is_second_extension=one.letter.is_second_extension,
        )
        for one in line.letters
        if not one.letter.is_exemption
    ]


def _spelled(place: Place) -> list[object]:
    return [told(place.moment), place.unit_id, place.source_id, place.code]


def _place(position: list[str] | None) -> Place | None:
    if position is None:
        return None
    moment, unit_id, source_id, code = position
    return Place(datetime.fromisoformat(moment), int(unit_id), int(source_id), code)
