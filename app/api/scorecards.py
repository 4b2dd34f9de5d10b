"""``/v1/scorecards``: the sheet of a unit, the board of many, what is told, and what if."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import Query, Request, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api import conditions
from app.api.doors import doors
from app.api.fields import CodeInPath, In, Instant, Out, Text, UnitsBelow
from app.api.pages import link_next
from app.api.problems import Refused, problems
from app.api.rule_sets import BilingualOut
from app.deps import CursorInvalid, Language, Now, Page, Reading, Writing, needs
from app.domain.assessment import PeriodUnreadable, read_period, written
from app.domain.period import PeriodReversed
from app.domain.rounding import plain
from app.domain.rule_set import Round
from app.domain.sheet import RoundState
from app.domain.wanted import from_plain
from app.i18n import Language as LanguageCode
from app.i18n import phrase
from app.rulebook.rule_sets import RuleSetNotInForce, UnknownRuleSet
from app.store.units import UnitUnknown
from app.usecases import card, inputs, peers, rule_sets, scoreboard, scorecards
from app.usecases.access import Principal
from app.usecases.card import Json
from app.usecases.index import Assessed, KnowledgeToCome
from app.usecases.inputs import InputsClosed, InputsRefused, Tell, VerifierBelow
from app.usecases.rule_sets import PeriodAcrossChange
from app.usecases.scoreboard import Board, Line
from app.usecases.scorecards import (
    Asked,
    One,
    PeriodNotAssessed,
    PeriodToCome,
    UnitNotAssessed,
)
from app.usecases.subtree import unit_of

router = doors("/v1/scorecards", tag="index")

Reader = Annotated[Principal, needs("statistics:read")]
Writer = Annotated[Principal, needs("index:write")]
PeriodAsked = Annotated[
    str,
    Query(
        max_length=30,
        description="Kỳ đánh giá: `2026`, `2026-Q1`, `2026-08`, `2026-01-01..2026-06-30`. / "
        "The period assessed.",
        examples=["2026"],
    ),
]
KnownAt = Annotated[
    Instant | None,
    Query(description="Theo những gì đã biết lúc đó. / As known at that instant."),
]
RoundAsked = Annotated[
    Round | None,
    Query(
        alias="round",
        description="Theo một vòng: `self`, `verify_1`, `explain`, `verify_2`; để trống là số "
        "hiện tại. / As of a round; the present figures if absent.",
    ),
]
ASKING: Final = (
    *(UnknownRuleSet, RuleSetNotInForce, PeriodAcrossChange, PeriodUnreadable, PeriodReversed),
    *(PeriodNotAssessed, PeriodToCome, KnowledgeToCome),
)
OF_ONE: Final = (UnitUnknown, UnitNotAssessed)


# ---------------------------------------------------------------- models


class SpanOut(Out):
    """The days of a period, both included."""

    first: str = Field(alias="from", examples=["2026-01-01"])
    last: str = Field(alias="to", examples=["2026-12-31"])


class PlaceOut(Out):
    """A place among the units of the same level under the same parent."""

    place: int
    of: int
    tied: bool


class InputOut(Out):
    """One input of a line: its value, where it came from, and what stands beside it."""

    model_config = ConfigDict(extra="forbid")

    value: JsonValue = Field(description="Số chính xác, dạng chữ. / Exact, as text.")
    known: bool
    source: str = Field(
        description="`measure`, `declared`, `survey`, `external`, `peer`, `fixed`, `verified`.",
        examples=["measure"],
    )
    held_by: str | None = Field(
        None, alias="from", description="Đơn vị có số liệu, nếu khác. / Unit that it is of."
    )
    definition: str | None = Field(None, examples=["progress_766@1"])
    part: str | None = Field(None, examples=["numerator"])
    counts: dict[str, int] | None = None
    computed: str | None = Field(None, description="Số đếm được khi số khác được chấm. / Counted.")
    declared: JsonValue = Field(None, description="Số tự khai đặt cạnh. / Declared beside it.")
    difference: str | None = Field(None, description="Tự khai trừ đếm được. / Declared − counted.")
    cases: int | None = None
    peers: int | None = None
    left_out: int | None = None
    note: str | None = None
    author: str | None = None
    actor: str | None = None
    recorded_at: str | None = None


class ThresholdOut(Out):
    """One threshold of a line, and how far it is."""

    kind: str = Field(description="`floor`, `target`, `band`.")
    value: str
    reached: bool
    margin: str = Field(
        description="Số hồ sơ còn dư (dương) hoặc còn thiếu (âm). / Dossiers to spare, or wanting."
    )


class WayOut(Out):
    """What would bring points back to a line."""

    text: str
    reaches: str = Field(examples=["floor"])
    input: str
    more: str
    dossiers: int | None = Field(description="Thêm chừng này trong số đã đếm. / So many more.")
    among_new: int | None = Field(
        description="Hoặc chừng này hồ sơ mới đều đúng hạn. / Or so many new ones, all on time."
    )
    points: str = Field(description="Điểm của tiêu chí khi đó. / Points of the line then.")
    gains: str = Field(description="Điểm tăng thêm. / Points gained.")


class ListOut(Out):
    """The list of the dossiers behind a figure."""

    rel: str = Field(
        description="`lost`: làm mất điểm / cost points; `whole`: mẫu số / all; `counted`."
    )
    count: str
    dossiers: int
    href: str


class NodeOut(Out):
    """A group of lines."""

    id: str
    title: BilingualOut
    score: str
    max: str
    of: str = Field(description="Tối đa của phần áp dụng. / Maximum of what applies.")
    children: list["NodeOut | LeafOut"]


class LeafOut(Out):
    """One line of a sheet with its whole account."""

    id: str = Field(examples=["e_result"])
    title: BilingualOut
    state: str
    score: str | None = Field(examples=["5.72"])
    max: str = Field(examples=["6"])
    of: str
    method: str = Field(examples=["linear"])
    inputs: dict[str, InputOut]
    branch: str = Field(examples=["branch.linear.share"])
    params: dict[str, str]
    explanation: str = Field(description="Câu giải thích. / The branch in words.")
    thresholds: list[ThresholdOut]
    lost: str | None = Field(examples=["0.28"])
    recover: WayOut | None
    other_ways: list[WayOut]
    warnings: list[str]
    note: str | None
    responsible: str | None
    evidence: list[str]
    evidence_wanted: list[str]
    links: list[ListOut]


class PoolOut(Out):
    """Bonus or penalty points."""

    score: str
    items: list[LeafOut]


class NextClassOut(Out):
    """The next label and what is wanting to it."""

    label: str
    points: str


class DerivedOut(Out):
    """A sum of some lines that is judged by itself."""

    id: str
    title: BilingualOut
    score: str
    max: str
    class_: str | None = Field(alias="class")


class MissingOut(Out):
    """An input that is not known yet."""

    input: str
    source: str
    leaves: list[str]
    held_by: str = Field(alias="from", description="Đơn vị cần khai. / Unit that has to tell it.")
    text: str


class RoundShortOut(Out):
    """One round of a sheet."""

    round: str
    state: str = Field(description="`open` / `closed`.")
    due_on: str | None
    author: str | None
    note: str | None
    opened_at: Instant
    closed_at: Instant | None
    total: str | None
    class_: str | None = Field(alias="class")
    hash: str | None


class ScorecardOut(Out):
    """The sheet of one unit for a period."""

    rule_set: str
    version: int
    digest: str
    title: BilingualOut
    provenance: str
    confirmed: bool = Field(
        description="false: in «chưa xác nhận» cạnh mọi số. / false: say so beside every number."
    )
    notice: str | None = Field(description="Câu phải in trên phiếu. / What the sheet must say.")
    unit: str
    name: str
    level: str
    parent: str | None
    period: SpanOut
    round: str | None
    as_of: str
    known_at: str
    closed_period: UUID | None = Field(
        None, description="Kỳ đã khóa mà số liệu lấy từ đó. / The closing the figures are of."
    )
    status: str = Field(description="`complete`, `pending`, `failed`.")
    total: str | None = Field(examples=["75.34"])
    max: str = Field(examples=["100"])
    class_: str | None = Field(alias="class")
    next_class: NextClassOut | None
    rank: PlaceOut | None
    ranked_by: str | None
    missing: list[MissingOut]
    nodes: list[NodeOut | LeafOut]
    bonus: PoolOut
    penalty: PoolOut
    derived: list[DerivedOut]
    rounds: list[RoundShortOut]
    record: RoundShortOut | None = Field(
        description="Điểm chính thức: vòng đã chốt. / The score of record: a closed round."
    )
    hash: str


class LineOut(Out):
    """One unit of the board."""

    unit: str
    name: str
    level: str
    parent: str | None
    status: str
    total: str | None
    max: str
    class_: str | None = Field(alias="class")
    rank: PlaceOut | None
    missing: int
    record: RoundShortOut | None
    delta: dict[str, Any] | None = Field(
        description="So với `compare`: `points` và `places` (dương là lên hạng). / Since `compare`."
    )
    links: dict[str, str]


class ScorecardsOut(Out):
    """The units of a subtree in the order of their places."""

    rule_set: str
    version: int
    period: SpanOut
    known_at: Instant
    total: int
    comparable: bool | None = Field(
        description="Cùng một văn bản chấm cả hai kỳ. / Both periods are scored by one text."
    )
    scorecards: list[LineOut]
    next_cursor: str | None


class InputIn(In):
    """One input: a whole number, a decimal in quotes, a word, true or false, or cases."""

    value: JsonValue = Field(
        description="Số nguyên, số lẻ trong ngoặc kép, chữ; null là không áp dụng (cần `note`). / "
        "A whole number, a decimal in quotes, a word; null does not apply (with a `note`)."
    )
    source: str | None = Field(None, max_length=20, description="`declared`, `survey`, `external`…")
    note: Text | None = None


INPUTS_EXAMPLE: Final[dict[str, JsonValue]] = {
    "inputs": {
        "published_on_time": {"value": 1, "source": "declared", "note": "Báo cáo tháng 8"},
        "online": {"value": "6.31", "source": "external"},
    }
}


class InputsIn(In):
    """Inputs of a unit, by name; names left out stay as they were, null takes one back."""

    model_config = ConfigDict(json_schema_extra={"examples": [INPUTS_EXAMPLE]})

    inputs: Annotated[dict[str, InputIn | None], Field(max_length=500)] = Field(
        default_factory=dict
    )
    responsible: Annotated[dict[str, Text | None], Field(max_length=500)] = Field(
        default_factory=dict,
        description="Vai trò chịu trách nhiệm theo tiêu chí. / The role that answers for a line.",
    )
    evidence: Annotated[dict[str, list[Text]], Field(max_length=500)] = Field(
        default_factory=dict,
        description="Mã băm của mọi tài liệu kiểm chứng theo tiêu chí. / Hashes of all the "
        "evidence of a line.",
    )
    author: Text | None = Field(None, description="Người khai. / Who tells it.")


class InputStandsOut(Out):
    """One input as it stands."""

    value: JsonValue
    source: str
    note: str | None
    author: str | None
    actor: str
    recorded_at: Instant


class InputsOut(Out):
    """The inputs of a unit as they stand, and what changed now."""

    rule_set: str
    unit: str
    period: SpanOut
    changed: list[str]
    inputs: dict[str, InputStandsOut]
    responsible: dict[str, str]
    evidence: dict[str, list[str]]


class SupposedIn(In):
    """Inputs to be supposed, by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": {"e_result": 2618}}]})

    inputs: Annotated[dict[str, JsonValue], Field(min_length=1, max_length=500)]


class StandOut(Out):
    """A score as it is, or as it would be."""

    status: str
    total: str | None
    class_: str | None = Field(alias="class")
    rank: PlaceOut | None


class SupposedLeafOut(Out):
    """One line that would change."""

    id: str
    now: str
    then: str


class SupposedOut(Out):
    """The score now and then. Nothing was stored."""

    rule_set: str
    unit: str
    period: SpanOut
    now: StandOut
    then: StandOut
    points: str | None = Field(description="Điểm tăng hoặc giảm. / Points gained or lost.")
    leaves: list[SupposedLeafOut]


class LostOut(Out):
    """One line of one unit that lost points."""

    unit: str
    leaf: str
    title: BilingualOut
    lost: str
    score: str
    max: str
    responsible: str | None
    branch: str
    params: dict[str, str]
    explanation: str
    recover: WayOut | None
    other_ways: list[WayOut]


class RoleOut(Out):
    """What one role answers for."""

    responsible: str | None = Field(description="null: chưa giao. / null: nobody was named.")
    lost: str
    lines: int


class LostPointsOut(Out):
    """The points that were lost, by line, by unit and by role."""

    rule_set: str
    unit: str
    period: SpanOut
    known_at: str
    lost: str
    lines: list[LostOut]
    roles: list[RoleOut]


class SnapshotOut(Out):
    """Figures of the units of one level, frozen."""

    level: str
    values: dict[str, dict[str, JsonValue]]


class SnapshotsOut(Out):
    """What was frozen on the sheet of a unit."""

    rule_set: str
    unit: str
    period: SpanOut
    known_at: Instant
    snapshots: list[SnapshotOut]


# ---------------------------------------------------------------- from use cases


def refused_of(error: InputsRefused) -> Refused:
    """Return what cannot be taken as a refusal with places."""
    return Refused(faults=error.faults)


def asked_of(
    session: Reading,
    rule_set: str,
    period: str,
    *,
    who: Principal,
    now: datetime,
    known_at: datetime | None,
) -> Asked:
    """Return the question of a door."""
    days = read_period(period)
    return scorecards.ask(session, rule_set, days, who=who, now=now, known_at=known_at)


def spoken(body: Json, language: LanguageCode) -> Json:
    """Return a sheet with sentences: branches, ways to recover, what is missing."""
    return {
        **body,
        "notice": None if body["confirmed"] else phrase(language, "template.unconfirmed"),
        "missing": [
            {**one, "text": phrase(language, "pending.input_missing", {"name": one["input"]})}
            for one in _items(body["missing"])
        ],
        "nodes": [_spoken_node(one, language) for one in _items(body["nodes"])],
        **{pool: _spoken_pool(body[pool], language) for pool in ("bonus", "penalty")},
    }


def _items(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _spoken_pool(pool: object, language: LanguageCode) -> Json:
    found = pool if isinstance(pool, dict) else {}
    return {**found, "items": [_spoken_leaf(one, language) for one in _items(found.get("items"))]}


def _spoken_node(node: Json, language: LanguageCode) -> Json:
    if "children" not in node:
        return _spoken_leaf(node, language)
    return {**node, "children": [_spoken_node(one, language) for one in _items(node["children"])]}


def _spoken_leaf(leaf: Json, language: LanguageCode) -> Json:
    params = leaf["params"] if isinstance(leaf["params"], dict) else {}
    recover = leaf["recover"]
    return {
        **leaf,
        "explanation": phrase(language, str(leaf["branch"]), params).strip(),
        "recover": _spoken_way(recover, language) if isinstance(recover, dict) else None,
        "other_ways": [_spoken_way(one, language) for one in _items(leaf["other_ways"])],
    }


def _spoken_way(way: Json, language: LanguageCode) -> Json:
    told = {**way, "more": str(way["more"]).lstrip("-")}
    return {**way, "text": phrase(language, f"recover.{way['reaches']}", told)}


def round_out(state: RoundState) -> RoundShortOut:
    """Return a round as it is shown."""
    card_ = state.card or {}
    return RoundShortOut.model_validate(
        {
            "round": state.round.value,
            "state": "open" if state.is_open else "closed",
            "due_on": None if state.due_on is None else state.due_on.isoformat(),
            "author": state.author,
            "note": state.note,
            "opened_at": state.opened_at,
            "closed_at": state.closed_at,
            "total": card_.get("total"),
            "class": card_.get("class"),
            "hash": card_.get("hash"),
        }
    )


def span_of(asked: Asked) -> SpanOut:
    """Return the days of a question."""
    period = asked.period
    return SpanOut.model_validate({"from": period.first.isoformat(), "to": period.last.isoformat()})


def _body_of(session: Reading, found: One, round_: Round | None) -> Json:
    """Return the sheet to show: as frozen when its round is closed, else computed."""
    loaded, row = found.loaded, found.row
    sheet = loaded.sheet(row.code)
    state = None if round_ is None else sheet.rounds.get(round_)
    if state is not None and state.card is not None:
        body: Json = dict(state.card)
    else:
        rows = rule_sets.confirmations(
            session, loaded.asked.rule_set.id, known_at=loaded.asked.known_at
        )
        confirmed = rule_sets.is_confirmed(loaded.asked.version, rows, row.lft)
        name = None if round_ is None else round_.value
        body = card.document(found.assessed, loaded, row, is_confirmed=confirmed, round_=name)
    record = scoreboard.record_of(loaded, sheet)
    body["rounds"] = [round_out(one) for one in sheet.rounds.values()]
    body["record"] = None if record is None else round_out(record)
    return body


# ---------------------------------------------------------------- doors


@router.get(
    "/{rule_set}",
    operation_id="listScorecards",
    summary="Rank every unit by its score",
    responses=problems(*ASKING, UnitUnknown, CursorInvalid),
)
def list_scorecards(
    rule_set: CodeInPath,
    request: Request,
    response: Response,
    session: Reading,
    who: Reader,
    now: Now,
    page: Page,
    period: PeriodAsked,
    unit: UnitsBelow = None,
    compare: Annotated[
        str | None, Query(max_length=30, description="Kỳ so sánh. / Period to compare with.")
    ] = None,
    round_: RoundAsked = None,
    known_at: KnownAt = None,
) -> ScorecardsOut:
    """Mọi đơn vị với điểm, xếp loại, hạng cùng cấp dưới một cấp trên, tăng giảm so với kỳ khác.

    Competition ranks (1, 2, 2, 4) within level and parent; those below the least volume of the
    rule set are shown without a place. With `round`, closed rounds show what was frozen.
    """
    filters = {"period": period, "unit": unit, "compare": compare, "round": round_}
    position = page.position(**filters)
    if position is not None:
        known_at = datetime.fromisoformat(position[0])
    asked = asked_of(session, rule_set, period, who=who, now=now, known_at=known_at)
    earlier = (
        None
        if compare is None
        else asked_of(session, rule_set, compare, who=who, now=now, known_at=known_at)
    )
    root = None if unit is None else unit_of(session, who, unit)
    found = scoreboard.board(session, asked, root=root, who=who, round_=round_, earlier=earlier)
    begin = 0 if position is None else int(position[1])
    shown = found.lines[begin : begin + page.limit]
    more = begin + page.limit < len(found.lines)
    resume = [asked.known_at.isoformat(), begin + page.limit]
    cursor = page.cursor_after(resume, **filters) if more else None
    link_next(request, response, cursor)
    return ScorecardsOut(
        rule_set=rule_set,
        version=asked.version.number,
        period=span_of(asked),
        known_at=asked.known_at,
        total=len(found.lines),
        comparable=None if earlier is None else found.is_comparable,
        scorecards=[_line_out(found, line) for line in shown],
        next_cursor=cursor,
    )


def _line_out(board: Board, line: Line) -> LineOut:
    asked = board.asked
    delta = board.deltas.get(line.unit)
    path = f"/v1/scorecards/{asked.rule_set.id}/{line.unit}?period={written(asked.period)}"
    return LineOut.model_validate(
        {
            "unit": line.unit,
            "name": line.name,
            "level": line.level.value,
            "parent": line.parent,
            "status": line.status.value,
            "total": line.total,
            "max": line.max,
            "class": line.label,
            "rank": card.rank_of(line.place),
            "missing": line.missing,
            "record": None if line.record is None else round_out(line.record),
            "delta": None
            if delta is None
            else {
                "points": None if delta.points is None else plain(delta.points),
                "places": delta.places,
            },
            "links": {"scorecard": path},
        }
    )


@router.get(
    "/{rule_set}/{unit}",
    operation_id="getScorecard",
    summary="Read the sheet of a unit, line by line",
    response_model=ScorecardOut,
    responses=problems(*ASKING, *OF_ONE),
)
def get_scorecard(
    rule_set: CodeInPath,
    unit: CodeInPath,
    request: Request,
    session: Reading,
    who: Reader,
    now: Now,
    language: Language,
    period: PeriodAsked,
    round_: RoundAsked = None,
    known_at: KnownAt = None,
) -> Response:
    """Phiếu chấm điểm: từng tiêu chí với số liệu, nguồn, cách tính, điểm mất và cách lấy lại.

    Each line with its inputs and where they came from, the branch taken, points lost, what would
    recover them, and the lists of dossiers. `hash` covers what is scored, not when it was asked.
    """
    asked = asked_of(session, rule_set, period, who=who, now=now, known_at=known_at)
    found = scorecards.one(session, asked, unit, who=who, round_=round_)
    body = _body_of(session, found, round_)
    shown = ScorecardOut.model_validate(spoken(body, language))
    rounds = [one.model_dump(mode="json", by_alias=True) for one in shown.rounds]
    tag = card.fingerprint({**body, "rounds": rounds, "record": None, "language": language.value})
    answer = conditions.answered(
        request, orjson.dumps(shown.model_dump(mode="json", by_alias=True)), tag=f'W/"{tag}"'
    )
    answer.headers["Vary"] = "Authorization, Accept-Language"
    return answer


@router.put(
    "/{rule_set}/{unit}/inputs",
    operation_id="putScorecardInputs",
    summary="Tell inputs of a unit by hand",
    responses=problems(
        *(UnknownRuleSet, RuleSetNotInForce, PeriodAcrossChange, PeriodUnreadable, PeriodReversed),
        *(*OF_ONE, InputsRefused, InputsClosed),
    ),
)
def put_inputs(
    rule_set: CodeInPath,
    unit: CodeInPath,
    body: InputsIn,
    session: Writing,
    who: Writer,
    now: Now,
    period: PeriodAsked,
) -> InputsOut:
    """Khai số liệu, điểm khảo sát, điểm hệ thống khác; lời sau có hiệu lực, lời trước vẫn còn.

    The last word on a name holds, and every earlier one is kept. A declared number beside a
    counted one stands with the difference; the rule set says which scores.
    """
    days = read_period(period)
    told = {
        name: None if one is None else Tell(one.value, one.source, one.note)
        for name, one in body.inputs.items()
    }
    try:
        done = inputs.put(
            session,
            rule_set,
            days,
            unit,
            told,
            who=who,
            now=now,
            author=body.author,
            responsible=body.responsible,
            proofs=body.evidence,
        )
    except InputsRefused as error:
        raise refused_of(error) from error
    return InputsOut(
        rule_set=rule_set,
        unit=done.row.code,
        period=SpanOut.model_validate(
            {"from": days.first.isoformat(), "to": days.last.isoformat()}
        ),
        changed=list(done.changed),
        inputs={
            name: InputStandsOut(
                value=one.value,
                source=one.source,
                note=one.note,
                author=one.author,
                actor=one.actor,
                recorded_at=one.recorded_at,
            )
            for name, one in done.sheet.inputs.items()
        },
        responsible=done.sheet.responsible,
        evidence={leaf: list(hashes) for leaf, hashes in done.sheet.evidence.items()},
    )


@router.post(
    "/{rule_set}/{unit}/what-if",
    operation_id="supposeScorecard",
    summary="Score a unit with other inputs, and store nothing",
    responses=problems(*ASKING, *OF_ONE, InputsRefused),
)
def suppose(
    rule_set: CodeInPath,
    unit: CodeInPath,
    body: SupposedIn,
    session: Reading,
    who: Reader,
    now: Now,
    period: PeriodAsked,
    known_at: KnownAt = None,
) -> SupposedOut:
    """Nếu số liệu khác đi thì điểm, xếp loại và hạng là bao nhiêu? Không lưu gì.

    Score, class and place now and then, with some inputs replaced. It is never kept as a score.
    """
    asked = asked_of(session, rule_set, period, who=who, now=now, known_at=known_at)
    try:
        replaced = inputs.read_replacements(asked.rule_set, body.inputs)
    except InputsRefused as error:
        raise refused_of(error) from error
    found = scorecards.one(session, asked, unit, who=who)
    kinds = found.loaded.wanted
    values = {
        name: from_plain(value, is_word=kinds[name].kind.value == "text")
        for name, value in replaced.items()
    }
    supposed = scorecards.what_if(found, values)
    return SupposedOut(
        rule_set=rule_set,
        unit=found.row.code,
        period=span_of(asked),
        now=_stand(supposed.now),
        then=_stand(supposed.then),
        points=_difference(supposed.now, supposed.then),
        leaves=[SupposedLeafOut(**one) for one in _moved(supposed.now, supposed.then)],
    )


def _stand(one: Assessed) -> StandOut:
    return StandOut.model_validate(
        {
            "status": one.card.standing.value,
            "total": one.card.printed,
            "class": one.card.label,
            "rank": card.rank_of(one.place),
        }
    )


def _difference(now: Assessed, then: Assessed) -> str | None:
    if now.card.total is None or then.card.total is None:
        return None
    return plain(then.card.total - now.card.total)


def _moved(now: Assessed, then: Assessed) -> list[dict[str, str]]:
    return [
        {"id": one.leaf.id, "now": plain(one.points), "then": plain(other.points)}
        for one, other in zip(now.card.leaves, then.card.leaves, strict=True)
        if one.points != other.points
    ]


@router.get(
    "/{rule_set}/{unit}/lost-points",
    operation_id="listLostPoints",
    summary="List the points lost, by line and by responsible role",
    responses=problems(*ASKING, *OF_ONE),
)
def list_lost_points(
    rule_set: CodeInPath,
    unit: CodeInPath,
    session: Reading,
    who: Reader,
    now: Now,
    language: Language,
    period: PeriodAsked,
    scope: Annotated[
        str,
        Query(
            pattern="^(own|subtree)$",
            description="`own`: riêng đơn vị; `subtree`: cả bên dưới. / The unit, or all below.",
        ),
    ] = "own",
    known_at: KnownAt = None,
) -> LostPointsOut:
    """Điểm bị mất của từng đơn vị và từng vai trò chịu trách nhiệm, kèm cách lấy lại từng điểm.

    The greatest losses first, each with what would recover it; summed up by responsible role.
    """
    asked = asked_of(session, rule_set, period, who=who, now=now, known_at=known_at)
    found = scoreboard.lost_points(session, asked, unit, who=who, is_deep=scope == "subtree")
    return LostPointsOut(
        rule_set=rule_set,
        unit=unit,
        period=span_of(asked),
        known_at=card.told(asked.known_at),
        lost=plain(found.total),
        lines=[LostOut.model_validate(_spoken_leaf(line, language)) for line in found.lines],
        roles=[
            RoleOut(responsible=role.responsible, lost=plain(role.lost), lines=role.lines)
            for role in found.roles
        ],
    )


@router.post(
    "/{rule_set}/{unit}/peers",
    operation_id="freezePeers",
    summary="Freeze the figures of peers below a unit",
    responses=problems(*ASKING, UnitUnknown, VerifierBelow),
)
def freeze_peers(
    rule_set: CodeInPath,
    unit: CodeInPath,
    session: Writing,
    who: Writer,
    now: Now,
    period: PeriodAsked,
) -> SnapshotsOut:
    """Tính và chốt số bình quân của các đơn vị bên dưới; phiếu chấm đọc số đã chốt, không tính lại.

    Sheets read what was frozen last, so that the same question gives the same answer.
    """
    asked = asked_of(session, rule_set, period, who=who, now=now, known_at=None)
    done = peers.freeze(session, asked, unit, who=who, now=now)
    return SnapshotsOut(
        rule_set=rule_set,
        unit=unit,
        period=span_of(asked),
        known_at=asked.known_at,
        snapshots=[
            SnapshotOut(
                level=one.level.value,
                values={name: _values(value) for name, value in one.values.items()},
            )
            for one in done
        ],
    )


def _values(value: Mapping[str, object]) -> dict[str, JsonValue]:
    return {name: one if isinstance(one, str | int) else None for name, one in value.items()}
