"""Dossiers: sent as records and events, read back with their states and their reasons."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Annotated, Any, ClassVar, Final

import orjson
from fastapi import Query, Request, Response
from pydantic import Field, JsonValue
from starlette.concurrency import run_in_threadpool

from app.api.body import ASIDE, Raw, require_media_type
from app.api.doors import doors
from app.api.fields import ByUnits, CodeInPath, Day, Instant, Out, UnitsOn
from app.api.idempotency import Once
from app.api.messages import EVENT, EVENT_EXAMPLE, RECORD, RECORD_EXAMPLE, batch_of, body_of
from app.api.pages import link_next
from app.api.problems import MEDIA_TYPE, Problem, Refused, document, problems
from app.deps import CursorInvalid, Here, Installation, Language, Now, Page, Reading, Writing, needs
from app.domain.dossier import Issue
from app.domain.errors import Invalid
from app.domain.lateness import Lateness
from app.domain.period import ObservedAfterEnd, ObservedBeforeBegin, Period, PeriodReversed
from app.domain.record import Message
from app.domain.tally import Count
from app.domain.timeliness import Reading as DueReading
from app.domain.timeliness import State
from app.feeds.body import decode, lines
from app.store.tallies import Listed
from app.store.trees import Units
from app.store.units import UnitUnknown
from app.usecases import dossiers, ingest, intake, reporting, spreads, turns
from app.usecases.access import Principal
from app.usecases.dossiers import DossierAmbiguous, DossierUnknown, Whole
from app.usecases.ingest import Incoming, Unreadable, Verdict, VerdictWord
from app.usecases.reporting import Extent, FlagOfPresentOnly, KnownInFuture, Question
from app.usecases.spreads import LatenessOfLateOnly
from app.usecases.subtree import Subtree, unit_of

router = doors("/v1/dossiers", tag="dossiers")

SLICE: Final = 1_000
"""Lines of NDJSON that share one transaction."""
_PIECE: Final = 1 << 16
_LINE: Final = re.compile(rb"[^\s][^\n]*")
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

Writer = Annotated[Principal, needs("dossiers:write")]
Reader = Annotated[Principal, needs("dossiers:read")]


@dataclass(eq=False, kw_only=True)
class BatchShape(Invalid):
    """A batch is an object with one list of this name, or a line of JSON for each entry."""

    code: ClassVar[str] = "batch.shape"
    name: str


@dataclass(eq=False, kw_only=True)
class BatchTooLarge(Invalid):
    """A batch holds more entries than one request may."""

    code: ClassVar[str] = "batch.too_large"
    limit: int


Source = Annotated[
    str | None,
    Query(max_length=100, description="Hệ thống nguồn, khi trùng mã. / When a code is ambiguous."),
]


class VerdictOut(Out):
    """What became of one entry."""

    index: int = Field(description="Vị trí trong lô. / Place in the batch, from 0.")
    code: str | None
    verdict: str = Field(
        description="`accepted`, `unchanged`, `stale` or `quarantined`.", examples=["accepted"]
    )
    quarantine_id: str | None = Field(None, description="Where a quarantined entry waits.")
    problem: dict[str, JsonValue] | None = Field(None, description="As a problem document.")


class VerdictsOut(Out):
    """What became of a batch, each entry on its own."""

    accepted: int
    unchanged: int
    stale: int
    quarantined: int
    results: list[VerdictOut] = Field(
        description="Only verdicts other than `accepted`, unless `verbose=true`."
    )


class AcceptedOut(Out):
    """What became of the one record of a request."""

    code: str
    verdict: str = Field(examples=["accepted"])


class StandingOut(Out):
    """Where a dossier stands under one reading of its due date."""

    state: str | None
    due_on: Day | None
    due_at: Instant | None
    provisional: bool


class SameOut(Out):
    """Another dossier that is this one, or may be."""

    source: str
    code: str
    relation: str = Field(
        description="`newer_number`, `former_number`, `other_system` hoặc `unclear`."
    )


class DossierOut(Out):
    """A dossier as it stands now."""

    code: str
    source: str
    unit: str
    procedure: str | None
    procedure_told: str | None
    unit_told: str | None
    channel: str
    applicant_type: str
    case: str | None
    status: str | None
    outcome: str | None
    submitted_at: Instant | None
    received_at: Instant | None
    clock_start_at: Instant | None
    finished_at: Instant | None
    ended_at: Instant | None
    returned_at: Instant | None
    return_method: str | None
    parent: str | None
    leg: str | None
    other_codes: list[str]
    counted: bool = Field(
        description="Có trong số liệu; sai: chỉ liệt kê. / In the figures; else only listed."
    )
    same_as: list[SameOut] = Field(
        description="Cùng hồ sơ dưới mã khác hoặc ở hệ thống khác. / The same dossier elsewhere."
    )
    due_origin: str = Field(description="`told`, `computed` or `none`.")
    state: str | None = Field(description="Under the reading `promised`.")
    readings: dict[str, StandingOut]
    apology: str = Field(description="`none`, `issued` or `exempt`.")
    flags: list[str] = Field(description="Điều cần xem lại. / Things to look at.")
    due_difference_working_days: int | None = Field(
        description="Ngày hẹn trừ ngày theo luật định; 0: khớp. / Promise less our own date."
    )
    as_of: Instant
    source_updated_at: Instant
    recorded_at: Instant
    links: dict[str, str]

    @classmethod
    def of(cls, whole: Whole) -> "DossierOut":
        """Return a dossier as it stands at the moment asked for."""
        row = whole.row
        standings = {
            reading.value: StandingOut(
                state=None if one.state is None else one.state.word,
                due_on=None if one.due is None else one.due.due_on,
                due_at=None if one.due is None else one.due.due_at,
                provisional=one.due is not None and one.due.provisional,
            )
            for reading, one in whole.standings.items()
        }
        here = f"/v1/dossiers/{row['code']}"
        apology = "issued" if row["apology_at"] else "none"
        same = {name: row[name] for name in _SAME}
        return cls(
            **same,
            source=whole.found.source,
            unit=whole.found.unit,
            procedure=whole.found.procedure,
            state=standings[DueReading.PROMISED.value].state,
            readings=standings,
            apology="exempt" if row["apology_exempt"] else apology,
            counted=row["is_counted"],
            same_as=[
                SameOut(source=one.source, code=one.code, relation=one.relation)
                for one in whole.same_as
            ],
            flags=row["issues"],
            due_difference_working_days=whole.clocked.due_difference_working_days,
            as_of=whole.as_of,
            links={
                "timeline": f"{here}/timeline?source={whole.found.source}",
                "due_date": f"{here}/due-date?source={whole.found.source}",
            },
        )


_SAME: Final = (
    *("code", "procedure_told", "unit_told", "channel", "applicant_type", "case", "status"),
    *("outcome", "submitted_at", "received_at", "clock_start_at", "finished_at", "ended_at"),
    *("returned_at", "return_method", "parent", "leg", "other_codes", "due_origin"),
    *("source_updated_at", "recorded_at"),
)


class MessageOut(Out):
    """One thing that a sender told of a dossier."""

    kind: str
    at: Instant
    source_updated_at: Instant
    recorded_at: Instant
    stamped: bool
    told: dict[str, JsonValue]


class EdgeOut(Out):
    """From this instant on the dossier is counted in this state, at this unit."""

    at: Instant
    state: str
    flow: str
    due_on: Day | None
    unit: str


class RevisionOut(Out):
    """One change of the promise, and why."""

    old: Day | None
    new: Day | None
    reason: str
    document: str | None
    at: Instant
    learned_at: Instant | None


class TimelineOut(Out):
    """Everything told of a dossier, every change of its due date, and how it is counted."""

    code: str
    source: str
    messages: list[MessageOut]
    revisions: list[RevisionOut]
    edges: dict[str, list[EdgeOut]]


class ListedOut(Out):
    """One dossier of a list."""

    code: str
    source: str
    unit: str
    procedure: str | None
    state: str = Field(description="At the end of the period, or `as_of`.")
    at: Instant | None = Field(description="The edge that was counted, or that led to the state.")
    due_on: Day | None

    @classmethod
    def of(cls, one: Listed) -> "ListedOut":
        """Return an entry as it is shown."""
        return cls(
            code=one.code,
            source=one.source,
            unit=one.unit,
            procedure=one.procedure,
            state=one.state.word,
            at=one.at,
            due_on=one.due_on,
        )


class DossiersOut(Out):
    """A page of dossiers."""

    as_of: Instant
    dossiers: list[ListedOut]
    next_cursor: str | None


def problem_of(verdict: Verdict, *, language: Language, instance: str) -> dict[str, JsonValue]:
    """Return why an entry could not be accepted, as a problem document."""
    made: Any = document(Refused(faults=verdict.faults), language=language, instance=instance)
    return {**made, "quarantine_id": str(verdict.quarantine_id)}


def verdicts_of(
    verdicts: Iterable[Verdict], *, verbose: bool, language: Language, instance: str
) -> VerdictsOut:
    """Return the verdicts of a batch as they are answered."""
    counts = dict.fromkeys(VerdictWord, 0)
    results = []
    for verdict in verdicts:
        counts[verdict.word] += 1
        is_refused = verdict.word is VerdictWord.QUARANTINED
        if verbose or verdict.word is not VerdictWord.ACCEPTED:
            results.append(
                VerdictOut(
                    index=verdict.index,
                    code=verdict.code,
                    verdict=verdict.word.value,
                    quarantine_id=str(verdict.quarantine_id) if is_refused else None,
                    problem=problem_of(verdict, language=language, instance=instance)
                    if is_refused
                    else None,
                )
            )
    return VerdictsOut(**{word.value: count for word, count in counts.items()}, results=results)


def entries_of(request: Request, raw: bytes, name: str, *, most: int) -> list[object]:
    """Return the entries of a batch: a list in a JSON object, or a line each.

    :raises BatchShape: the JSON value is no object with that one list.
    :raises BatchTooLarge: there are too many.
    """
    return [entry for part in slices_of(request, raw, name, most=most) for entry in part]


def slices_of(request: Request, raw: bytes, name: str, *, most: int) -> Iterator[list[object]]:
    """Yield the entries of a batch: a JSON list at once, lines in slices that are read in turn.

    :raises BatchShape: the JSON value is no object with that one list.
    :raises BatchTooLarge: there are too many.
    """
    if require_media_type(request, (JSON, NDJSON, "application/ndjson")) == JSON:
        yield _listed(raw, name, most)
        return
    count = sum(1 for _ in islice(_LINE.finditer(raw), most + 1))
    if count == 0:
        raise BatchShape(name=name)
    if count > most:
        raise BatchTooLarge(limit=most)
    values = (line.value for line in lines(_pieces(raw)))
    while part := list(islice(values, SLICE)):
        yield part


def _listed(raw: bytes, name: str, most: int) -> list[object]:
    value = decode(raw)
    if not isinstance(value, dict) or value.keys() != {name}:
        raise BatchShape(name=name)
    entries = value[name]
    if not isinstance(entries, list) or not entries:
        raise BatchShape(name=name)
    if len(entries) > most:
        raise BatchTooLarge(limit=most)
    return entries


def _pieces(raw: bytes) -> Iterator[bytes]:
    for start in range(0, len(raw), _PIECE):
        yield raw[start : start + _PIECE]


def hashing(here: Installation) -> intake.Hash:
    """Return what turns the number of an applicant into a keyed hash."""
    return intake.hasher(here.derived_key("applicant"))


def instance_of(request: Request) -> str:
    """Return the id of the request."""
    return str(getattr(request.state, "request_id", ""))


def _one(request: Request, verdict: Verdict, language: Language) -> Response:
    if verdict.word is VerdictWord.QUARANTINED:
        body = problem_of(verdict, language=language, instance=instance_of(request))
        return Response(orjson.dumps(body), status_code=422, media_type=MEDIA_TYPE)
    out = {"code": verdict.code or "", "verdict": verdict.word.value}  # an AcceptedOut
    return Response(
        orjson.dumps(out),
        status_code=201 if verdict.is_new else 200,
        media_type=JSON,
    )


_QUARANTINED: Final[dict[int | str, dict[str, Any]]] = {
    422: {
        "model": Problem,
        "description": "The record cannot be true; it waits in quarantine.",
        "content": {MEDIA_TYPE: {}},
    }
}


@router.put(
    "/{code}",
    operation_id="putDossier",
    summary="Send a dossier as the source sees it now",
    response_model=AcceptedOut,
    responses={
        201: {"model": AcceptedOut, "description": "First sight of the dossier."},
        **_QUARANTINED,
    },
    openapi_extra=body_of(RECORD, RECORD_EXAMPLE),
)
async def put_dossier(
    code: CodeInPath,
    raw: Raw,
    request: Request,
    who: Writer,
    here: Here,
    language: Language,
    now: Now,
) -> Response:
    """Gửi toàn bộ hồ sơ; gửi lại giống hệt là vô hại. Tin cũ hơn được giữ, không đè tin mới.

    Send the whole record; the same again is harmless. Older news is kept and never overwrites
    newer. A record that cannot be true is quarantined and answered with its reasons. Records that
    arrive together are kept in one transaction; each is answered once it is committed.
    """
    require_media_type(request, (JSON,))

    def read() -> Sequence[Incoming | Unreadable]:
        return intake.read_native([decode(raw)], hash_applicant=hashing(here), now=now, code=code)

    records = await run_in_threadpool(read) if len(raw) > ASIDE else read()
    by = intake.sender_of(who)
    verdicts = await here.coalescer.verdicts(records, by=by, door=intake.Form.NATIVE, now=now)
    return _one(request, verdicts[0], language)


@router.post(
    "/batch",
    operation_id="postDossiers",
    summary="Send many dossiers at once",
    response_model=VerdictsOut,
    responses=problems(BatchShape, BatchTooLarge),
    openapi_extra=batch_of("dossiers", RECORD, {"code": "H44.100-260803-0012", **RECORD_EXAMPLE}),
)
def post_dossiers(
    raw: Raw,
    request: Request,
    who: Writer,
    here: Here,
    language: Language,
    once: Once,
    now: Now,
    verbose: Annotated[bool, Query(description="Liệt kê mọi hồ sơ. / List every entry.")] = False,
) -> Response:
    """Mỗi hồ sơ được xét riêng; hồ sơ hỏng được giữ lại kèm lý do, hồ sơ tốt bên cạnh vẫn nhận.

    Each record is judged on its own: a broken one waits in quarantine with its reasons, the good
    ones beside it are kept. A JSON batch is kept whole or not at all, and so is one with an
    `Idempotency-Key`; other lines of NDJSON are kept in transactions of 1,000, so that after an
    error what was kept answers `unchanged` when all is sent again. Batches of a key
    that arrive together are kept in one transaction; each is answered once it is committed.
    """
    parts = slices_of(request, raw, "dossiers", most=here.limits.max_batch_records)
    by, form = intake.sender_of(who), intake.Form.NATIVE

    def read(entries: list[object]) -> Sequence[Incoming | Unreadable]:
        return intake.read_native(entries, hash_applicant=hashing(here), now=now)

    def answer(verdicts: list[Verdict]) -> VerdictsOut:
        return verdicts_of(
            verdicts, verbose=verbose, language=language, instance=instance_of(request)
        )

    if once.key is not None:
        whole = [entry for part in parts for entry in part]
        with turns.BATCHES.of(len(whole)):
            records = read(whole)
            with here.database.begin() as session:
                return once.answer(
                    session,
                    who,
                    lambda: answer(ingest.accept(session, records, by=by, door=form, now=now)),
                    now=now,
                )
    verdicts: list[Verdict] = []
    for part in parts:
        answered = here.batches.submit_unread(
            partial(read, part), len(part), by=by, door=form, now=now
        )
        found = answered.result()
        first = len(verdicts)
        verdicts += [one.placed(one.index + first) for one in found] if first else found
    body = answer(verdicts).model_dump(mode="json", by_alias=True)
    return Response(orjson.dumps(body), media_type=JSON)


@router.post(
    "/{code}/events",
    operation_id="postDossierEvent",
    summary="Tell one event of a dossier",
    response_model=AcceptedOut,
    responses={
        201: {"model": AcceptedOut, "description": "First sight of the dossier."},
        **problems(DossierUnknown),
        **_QUARANTINED,
    },
    openapi_extra=body_of(EVENT, EVENT_EXAMPLE),
)
def post_dossier_event(
    code: CodeInPath,
    raw: Raw,
    request: Request,
    session: Writing,
    who: Writer,
    language: Language,
    now: Now,
    source: Source = None,
) -> Response:
    """Báo một sự kiện: bước xử lý, tạm dừng, tiếp tục, gia hạn, chuyển, đính chính, mở lại, hủy.

    Tell an event: step, pause, resume, extension, transfer, correction, reopening, void, apology.
    The same event again changes nothing. A superior (`dossiers:correct`) names with `source` the
    system whose dossier it is about.
    """
    require_media_type(request, (JSON,))
    named = None if source is None else dossiers.source_named(session, who, code, source)
    verdicts = intake.native_events(
        session, [decode(raw)], who=who, now=now, code=code, source_id=named
    )
    return _one(request, verdicts[0], language)


AsOf = Annotated[
    Instant | None,
    Query(description="Trạng thái ngay trước thời điểm này. / The state just before this instant."),
]


@router.get(
    "",
    operation_id="listDossiers",
    summary="List dossiers, or exactly those behind a figure",
    responses=problems(
        UnitUnknown,
        CursorInvalid,
        PeriodReversed,
        ObservedAfterEnd,
        ObservedBeforeBegin,
        KnownInFuture,
        FlagOfPresentOnly,
        LatenessOfLateOnly,
    ),
)
def list_dossiers(
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    page: Page,
    now: Now,
    unit: Annotated[str, Query(max_length=100, description="Mã đơn vị. / Code of the unit.")],
    first: Annotated[
        Day, Query(alias="from", description="Ngày đầu kỳ. / First day of the period.")
    ],
    last: Annotated[Day, Query(alias="to", description="Ngày cuối kỳ. / Last day, inclusive.")],
    scope: Annotated[Extent, Query(description="Riêng đơn vị hay cả nhánh.")] = Extent.SUBTREE,
    count: Annotated[
        Count | None, Query(description="Số liệu cần mở. / The figure to open.")
    ] = None,
    state: Annotated[
        str | None, Query(max_length=40, description="Trạng thái cuối kỳ. / State at the end.")
    ] = None,
    late: Annotated[
        Lateness | None,
        Query(
            description="Trễ bao nhiêu ngày làm việc, với `count=finished_late` hay "
            "`open_overdue`. / Working days late, of those two counts.",
        ),
    ] = None,
    reading: Annotated[DueReading, Query(description="Cách đọc hạn trả.")] = DueReading.PROMISED,
    as_of: AsOf = None,
    known_at: Annotated[
        Instant | None, Query(description="Như đã biết lúc đó. / As it was known then.")
    ] = None,
    procedure: Annotated[str | None, Query(max_length=100)] = None,
    field: Annotated[str | None, Query(max_length=100)] = None,
    channel: Annotated[str | None, Query(max_length=40)] = None,
    applicant_type: Annotated[str | None, Query(max_length=40)] = None,
    level: Annotated[str | None, Query(max_length=40, description="Cấp đơn vị.")] = None,
    online_level: Annotated[str | None, Query(max_length=40, description="Mức trực tuyến.")] = None,
    exclude_same_day: Annotated[bool, Query(description="Bỏ thủ tục trả trong ngày.")] = False,
    flag: Annotated[
        Issue | None,
        Query(description="Điểm cần xem lại, xem /v1/data-quality. / A thing to look at."),
    ] = None,
    legs: Annotated[
        bool,
        Query(
            description="Chỉ chặng của hồ sơ liên thông, với `count=received` là "
            "`legs_received`. / Legs of joint dossiers alone."
        ),
    ] = False,
    units: ByUnits = Units.AS_NOW,
    units_on: UnitsOn = None,
) -> DossiersOut:
    """Danh sách hồ sơ của một kỳ; với `count` là đúng những hồ sơ đã được đếm trong số liệu ấy.

    Dossiers of a period; with `count` exactly those that the figure counted, as many rows as it
    says: one finished twice in the period is listed twice.
    """
    question = Question(
        unit=unit_of(session, who, unit),
        period=Period(first, last),
        extent=scope,
        reading=reading,
        as_of=as_of,
        known_at=known_at,
        exclude_same_day=exclude_same_day,
        procedure=procedure,
        field=field,
        channel=channel,
        applicant_type=applicant_type,
        level=level,
        online_level=online_level,
        flag=flag,
        legs=legs,
        units=units,
        units_on=units_on,
    )
    filters = {name: value for name, value in request.query_params.items() if name not in _PAGING}
    position = page.position(**filters)
    found = reporting.dossiers_behind(
        session,
        question,
        count=count,
        state=state_named(state),
        late=None if late is None else spreads.late_groups(session, question, count, late, now=now),
        after=None if position is None else _place(position),
        limit=page.limit + 1,
        now=now,
    )
    shown = found[: page.limit]
    cursor = (
        page.cursor_after(list(shown[-1].place), **filters) if len(found) > page.limit else None
    )
    link_next(request, response, cursor)
    return DossiersOut(
        as_of=question.period.observed_at(as_of, now=now),
        dossiers=[ListedOut.of(one) for one in shown],
        next_cursor=cursor,
    )


_PAGING: Final = frozenset({"cursor", "limit"})


def _place(position: list[Any]) -> tuple[int, int, str, int]:
    unit, source, code, edge = position
    return int(unit), int(source), str(code), int(edge)


@dataclass(eq=False, kw_only=True)
class StateUnknown(Invalid):
    """There is no state of this name."""

    code: ClassVar[str] = "dossier.state_unknown"
    known: str


def state_named(word: str | None) -> State | None:
    """Return the state of a name, None for none.

    :raises StateUnknown: there is none of this name.
    """
    if word is None:
        return None
    for state in State:
        if state.word == word:
            return state
    raise StateUnknown(known=", ".join(state.word for state in State))


def _asked(
    session: Reading, who: Principal, code: str, source: str | None, as_of: datetime
) -> Whole:
    within = Subtree(who.lft, who.rgt)
    return dossiers.get_dossier(session, code, within=within, source=source, as_of=as_of)


@router.get(
    "/{code}",
    operation_id="getDossier",
    summary="Read a dossier with its state under each reading",
    responses=problems(DossierUnknown, DossierAmbiguous),
)
def get_dossier(
    code: CodeInPath,
    session: Reading,
    who: Reader,
    now: Now,
    source: Source = None,
    as_of: AsOf = None,
) -> DossierOut:
    """Hồ sơ như đang biết: trạng thái theo từng cách đọc hạn trả, và những điều cần xem lại.

    A dossier as it is known: its state under each reading of the due date, and things to look at.
    """
    return DossierOut.of(_asked(session, who, code, source, as_of or now))


@router.get(
    "/{code}/timeline",
    operation_id="getDossierTimeline",
    summary="Read everything that was told of a dossier",
    responses=problems(DossierUnknown, DossierAmbiguous),
)
def get_timeline(
    code: CodeInPath, session: Reading, who: Reader, now: Now, source: Source = None
) -> TimelineOut:
    """Mọi bản tin đã nhận, mọi lần đổi hạn trả, và các mốc mà hồ sơ được đếm.

    Every message told, every change of the promise with its reason, and the edges at which the
    dossier is counted under each reading.
    """
    whole = _asked(session, who, code, source, now)
    return TimelineOut(
        code=code,
        source=whole.found.source,
        messages=[_message(one) for one in whole.messages],
        revisions=[
            RevisionOut(
                old=one.old,
                new=one.new,
                reason=one.reason,
                document=one.document,
                at=one.at,
                learned_at=one.learned_at,
            )
            for one in whole.revisions
        ],
        edges={
            reading.value: [
                EdgeOut(
                    at=edge.at,
                    state=edge.state.word,
                    flow=edge.flow.name.lower(),
                    due_on=edge.due_on,
                    unit=whole.unit_code(edge.unit),
                )
                for edge in whole.edges(reading)
            ]
            for reading in DueReading
        },
    )


def _message(one: Message) -> MessageOut:
    told: Any = dossiers.plain(one)
    return MessageOut(
        kind=one.kind.value,
        at=one.at,
        source_updated_at=one.source_updated_at,
        recorded_at=one.recorded_at,
        stamped=one.stamped,
        told=told,
    )
