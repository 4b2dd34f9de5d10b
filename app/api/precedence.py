"""Whose dossier counts at a unit when two systems send the same one."""

from typing import Annotated

from pydantic import ConfigDict, Field

from app.api.doors import doors
from app.api.fields import In, Instant, Out, UnitCode, Word
from app.api.problems import problems
from app.deps import Now, Reading, Writing, needs
from app.store.units import UnitUnknown
from app.usecases import precedence, subtree
from app.usecases.access import Principal
from app.usecases.precedence import Holding, PreferredUnknown

router = doors("/v1/precedence", tag="catalogue")

Reader = Annotated[Principal, needs("dossiers:read")]
CatalogueWriter = Annotated[Principal, needs("catalogue:write")]


class PrecedenceIn(In):
    """The source whose dossiers count."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source": "mot-cua"}]})

    source: Word | None = Field(
        description="Mã hệ thống nguồn; null: hồ sơ đến trước. / A source; null: the first seen."
    )


class SaidOut(Out):
    """What was said for a unit."""

    source: str | None
    actor: str
    recorded_at: Instant


class PrecedenceOut(Out):
    """Whose dossiers count at a unit, where that was said, and all that was said there."""

    unit: str
    source: str | None = Field(description="null: hồ sơ đến trước. / null: the first seen.")
    said_at: str | None = Field(description="Đơn vị đã quy định. / The unit where it was said.")
    history: list[SaidOut] = Field(description="Mới nhất đứng trước. / Newest first.")

    @classmethod
    def of(cls, unit: str, found: Holding) -> "PrecedenceOut":
        """Return what holds as it is shown."""
        holding = found.holding
        return cls(
            unit=unit,
            source=None if holding is None else holding.source,
            said_at=None if holding is None else holding.unit,
            history=[
                SaidOut(source=one.source, actor=one.actor, recorded_at=one.recorded_at)
                for one in found.history
            ],
        )


class PrecedencePutOut(PrecedenceOut):
    """What holds after it was said."""

    dossiers: int = Field(description="Số hồ sơ trùng đã xét lại. / Dossiers folded again.")


@router.get(
    "/{unit}",
    operation_id="getPrecedence",
    summary="Read whose dossiers count at a unit",
    responses=problems(UnitUnknown),
)
def get_precedence(unit: UnitCode, session: Reading, who: Reader) -> PrecedenceOut:
    """Hệ thống nào được tính khi hai hệ thống cùng gửi một hồ sơ của đơn vị.

    Which system counts when two send the same dossier of a unit.
    """
    row = subtree.unit_of(session, who, unit)
    return PrecedenceOut.of(row.code, precedence.get(session, row))


@router.put(
    "/{unit}",
    operation_id="putPrecedence",
    summary="Say whose dossiers count at a unit and below",
    responses=problems(UnitUnknown, PreferredUnknown),
)
def put_precedence(
    unit: UnitCode, body: PrecedenceIn, session: Writing, who: CatalogueWriter, now: Now
) -> PrecedencePutOut:
    """Quy định hệ thống được tính cho đơn vị và các đơn vị bên dưới; xét lại các hồ sơ trùng.

    Say which system counts for a unit and all below it. Dossiers that two systems sent are
    folded again; figures as known before stay as they were known.
    """
    row = subtree.unit_of(session, who, unit)
    found, folded = precedence.put(session, row, body.source, who=who, now=now)
    shown = PrecedenceOut.of(row.code, found)
    return PrecedencePutOut(**dict(shown), dossiers=folded)
