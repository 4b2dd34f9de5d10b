"""What every figure means: the definitions of rates, and the names of the counts."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from app.api import conditions
from app.api.doors import doors
from app.api.fields import Day, Out
from app.deps import any_key
from app.domain.rate import RateDefinition
from app.domain.tally import COUNTS
from app.i18n import Language, phrase
from app.rulebook.metrics import load_metrics

router = doors("/v1/definitions", tag="statistics")


class BothOut(Out):
    """A text in both languages."""

    vi: str
    en: str


class CountOut(Out):
    """One count, by its permanent name."""

    id: str = Field(examples=["finished_on_time"])
    title: BothOut


class DefinitionOut(Out):
    """One version of the definition of a rate."""

    id: str = Field(examples=["on_time_of_finished"])
    version: int
    name: str = Field(description="As it travels with figures.", examples=["on_time_of_finished@1"])
    is_default: bool
    title: BothOut
    numerator: list[str] = Field(description="Counts that add up above the line.")
    denominator: list[str] = Field(description="Counts that add up below the line.")
    used_by: str
    legal_basis: str
    provenance: str = Field(description="`official`, `operational` or `local`.")
    valid_from: Day
    valid_to: Day | None
    rounding: str
    better: str = Field(description="Which way ranks go: `higher` or `lower`.")
    empty: str = Field(description="Worth of an empty denominator: `null` or `full`.")
    note: BothOut | None

    @classmethod
    def of(cls, definition: RateDefinition, *, is_default: bool) -> "DefinitionOut":
        """Return a definition as it is shown."""
        note_vi, note_en = definition.note_vi, definition.note_en
        return cls(
            id=definition.id,
            version=definition.version,
            name=definition.name,
            is_default=is_default,
            title=BothOut(vi=definition.title_vi, en=definition.title_en),
            numerator=[count.value for count in definition.numerator],
            denominator=[count.value for count in definition.denominator],
            used_by=definition.used_by,
            legal_basis=definition.legal_basis,
            provenance=definition.provenance,
            valid_from=definition.valid_from,
            valid_to=definition.valid_to,
            rounding=definition.rounding.value,
            better=definition.better.value,
            empty=definition.empty.value,
            note=BothOut(vi=note_vi, en=note_en) if note_vi and note_en else None,
        )


class DefinitionsOut(Out):
    """What every figure means."""

    definitions: list[DefinitionOut]
    counts: list[CountOut]
    next_cursor: None = None


@router.get(
    "",
    operation_id="listDefinitions",
    summary="List the definitions of rates and the counts they add up",
    response_model=DefinitionsOut,
    dependencies=[any_key],
)
def list_definitions(
    request: Request,
    day: Annotated[
        Day | None, Query(description="Chỉ bản có hiệu lực ngày này. / In force on this day only.")
    ] = None,
) -> Response:
    """Mọi định nghĩa tỷ lệ, kể cả bản cũ: tử số, mẫu số, căn cứ, ngày hiệu lực; và tên số liệu.

    Every version of every rate, and the names of the counts in both languages.
    """
    metrics = load_metrics()
    return conditions.document(
        request,
        DefinitionsOut(
            definitions=[
                DefinitionOut.of(one, is_default=one is metrics.default)
                for one in _in_force(metrics.definitions, day)
            ],
            counts=[
                CountOut(
                    id=count.value,
                    title=BothOut(
                        vi=phrase(Language.VI, f"count.{count.value}"),
                        en=phrase(Language.EN, f"count.{count.value}"),
                    ),
                )
                for count in COUNTS
            ],
        ),
    )


def _in_force(definitions: Iterable[RateDefinition], day: date | None) -> list[RateDefinition]:
    return [
        one
        for one in definitions
        if day is None or (one.valid_from <= day and (one.valid_to is None or day <= one.valid_to))
    ]
