"""``/v1/scorecards/…/rounds``: self-score, appraisal and explanation of a sheet, side by side."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, JsonValue

from app.api.doors import doors
from app.api.fields import CodeInPath, Day, In, Out, Text
from app.api.problems import problems
from app.api.rule_sets import BilingualOut
from app.api.scorecards import (
    ASKING,
    OF_ONE,
    PeriodAsked,
    Reader,
    RoundShortOut,
    SpanOut,
    asked_of,
    refused_of,
    round_out,
    span_of,
)
from app.deps import AnyKey, Now, Reading, Writing
from app.domain.rule_set import Round
from app.domain.sheet import RoundClosed, RoundOutOfOrder, RoundUnknown, of_record
from app.usecases import rounds
from app.usecases.access import ScopeMissing
from app.usecases.inputs import InputsRefused, VerifierBelow
from app.usecases.rounds import Compared, DeadlineToCome, Wish, Word

router = doors("/v1/scorecards", tag="index")

ROUND_EXAMPLE: Final[dict[str, JsonValue]] = {
    "round": "verify_1",
    "author": "Tổ thẩm định, Sở Nội vụ",
    "due_on": "2027-01-31",
    "leaves": {
        "e_result": {
            "inputs": {"e_result": 2480},
            "note": "Trừ 17 kết quả chưa ký số",
        },
        "petitions_on_time": {"score": "5.50", "note": "Hai phản ánh trả lời chậm"},
    },
    "close": True,
}


class WordIn(In):
    """What is said of one line."""

    score: int | str | None = Field(
        None, description="Điểm cho trực tiếp; số lẻ trong ngoặc kép. / Points given outright."
    )
    inputs: Annotated[dict[str, JsonValue], Field(max_length=100)] = Field(
        default_factory=dict, description="Số liệu thay thế. / Inputs in place of those told."
    )
    note: Text | None = None
    evidence: Annotated[list[Text], Field(max_length=100)] = Field(default_factory=list)


class RoundWishIn(In):
    """A round to be opened, filled or closed; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [ROUND_EXAMPLE]})

    round: Round = Field(strict=False)
    due_on: Day | None = Field(None, description="Hạn của vòng, khi mở. / Deadline, on opening.")
    note: Text | None = None
    author: Text | None = Field(None, description="Người chấm. / Who scores.")
    leaves: Annotated[dict[str, WordIn], Field(max_length=500)] = Field(default_factory=dict)
    close: bool = Field(False, description="Chốt vòng. / Close the round.")

    def to_wish(self) -> Wish:
        """Return what is asked."""
        return Wish(
            round=self.round,
            due_on=self.due_on,
            note=self.note,
            author=self.author,
            leaves={
                name: Word(one.score, one.inputs, one.note, one.evidence)
                for name, one in self.leaves.items()
            },
            close=self.close,
        )


class RoundDoneOut(Out):
    """A round after it was written on."""

    rule_set: str
    unit: str
    period: SpanOut
    round: RoundShortOut
    said: list[str] = Field(description="Các tiêu chí đã có ý kiến. / Lines spoken of.")


class ColumnOut(Out):
    """What one round made of one line."""

    round: str
    score: str | None
    said: bool = Field(description="Vòng này có nói về tiêu chí. / The round spoke of the line.")
    note: str | None
    author: str | None
    evidence: list[str]
    inputs: dict[str, JsonValue]


class ComparedOut(Out):
    """One line, by computation and by round."""

    leaf: str
    title: BilingualOut
    max: str
    computed: str | None = Field(description="Theo số liệu hiện tại. / From the present figures.")
    rounds: list[ColumnOut]
    difference: str | None = Field(
        description="Thẩm định trừ tự chấm. / Last appraisal less self-score."
    )

    @classmethod
    def of(cls, line: Compared) -> "ComparedOut":
        """Return a line as it is shown."""
        return cls(
            leaf=line.leaf,
            title=BilingualOut.model_validate(line.title),
            max=line.max,
            computed=line.computed,
            rounds=[
                ColumnOut.model_validate(
                    {
                        "round": one.round.value,
                        "score": one.score,
                        "said": one.is_said,
                        "note": one.note,
                        "author": one.author,
                        "evidence": list(one.evidence),
                        "inputs": dict(one.inputs),
                    }
                )
                for one in line.columns
            ],
            difference=line.difference,
        )


class RoundsOut(Out):
    """The rounds of a sheet, line by line."""

    rule_set: str
    unit: str
    period: SpanOut
    listed: list[str] = Field(description="Các vòng theo thứ tự. / The rounds in their order.")
    rounds: list[RoundShortOut]
    record: RoundShortOut | None
    lines: list[ComparedOut]


@router.get(
    "/{rule_set}/{unit}/rounds",
    operation_id="listScorecardRounds",
    summary="Compare the rounds of a sheet, line by line",
    responses=problems(*ASKING, *OF_ONE),
)
def list_rounds(
    rule_set: CodeInPath,
    unit: CodeInPath,
    session: Reading,
    who: Reader,
    now: Now,
    period: PeriodAsked,
) -> RoundsOut:
    """Các vòng của một phiếu: điểm tự chấm cạnh điểm thẩm định, từng tiêu chí, ai nói gì.

    Self-score against appraisal for every line, with notes, authors and evidence.
    """
    asked = asked_of(session, rule_set, period, who=who, now=now, known_at=None)
    row, sheet, lines = rounds.compare(session, asked, unit, who=who)
    record = of_record(sheet, asked.rule_set.score_of_record)
    return RoundsOut(
        rule_set=rule_set,
        unit=row.code,
        period=span_of(asked),
        listed=[one.value for one in asked.rule_set.rounds],
        rounds=[round_out(one) for one in sheet.rounds.values()],
        record=None if record is None else round_out(record),
        lines=[ComparedOut.of(line) for line in lines],
    )


@router.post(
    "/{rule_set}/{unit}/rounds",
    operation_id="postScorecardRound",
    summary="Open, fill and close a round of a sheet",
    responses=problems(
        *(*ASKING, *OF_ONE, ScopeMissing, VerifierBelow),
        *(RoundUnknown, RoundOutOfOrder, RoundClosed, DeadlineToCome, InputsRefused),
    ),
)
def post_round(
    rule_set: CodeInPath,
    unit: CodeInPath,
    body: RoundWishIn,
    session: Writing,
    who: AnyKey,
    now: Now,
    period: PeriodAsked,
) -> RoundDoneOut:
    """Mở vòng (nếu chưa mở), ghi điểm và ý kiến từng tiêu chí, chốt vòng nếu `close`.

    `self` and `explain` need `index:write`; `verify_1` and `verify_2` need `index:verify` and a
    key of a unit strictly above. A closed round is frozen with its hash; the next opens after it.
    """
    asked = asked_of(session, rule_set, period, who=who, now=now, known_at=None)
    try:
        done = rounds.write(session, asked, unit, body.to_wish(), who=who, now=now)
    except InputsRefused as error:
        raise refused_of(error) from error
    return RoundDoneOut(
        rule_set=rule_set,
        unit=done.row.code,
        period=span_of(asked),
        round=round_out(done.state),
        said=sorted(done.state.leaves),
    )
