"""What a sender's own words for units and procedures mean."""

from typing import Annotated, Final

from fastapi import Query
from pydantic import ConfigDict, Field, JsonValue

from app.api.doors import doors
from app.api.fields import In, Instant, Out, Text, UnitCode, Word
from app.api.problems import problems
from app.deps import Now, Reading, Writing, needs
from app.store.mappings import Mapping, UnknownWord
from app.store.units import UnitUnknown
from app.usecases import mappings
from app.usecases.access import Principal
from app.usecases.mappings import (
    Kind,
    Meaning,
    Put,
    TargetIsBucket,
    TargetUnknown,
    WordKnown,
    WordTwice,
)

router = doors("/v1/mappings", tag="catalogue")

Reader = Annotated[Principal, needs("dossiers:read")]
CatalogueWriter = Annotated[Principal, needs("catalogue:write")]
Root = Annotated[
    str | None,
    Query(
        max_length=100,
        description="Gốc của khóa đã dùng tên gọi, mặc định của chính bạn. / Root of the key that "
        "used the words; your own if absent.",
    ),
]
MOST: Final = 1_000
UNIT_EXAMPLE: Final[dict[str, JsonValue]] = {
    "mappings": [{"told": "Bộ phận một cửa xã Hy Cương", "unit": "H44.101"}]
}
PROCEDURE_EXAMPLE: Final[dict[str, JsonValue]] = {
    "mappings": [{"told": "THU-TUC-RIENG-01", "procedure": "1.001193"}]
}


class UnitMeaningIn(In):
    """A word for a unit, and the unit."""

    told: Text = Field(description="Tên gọi mà phần mềm đã gửi. / The word as it was sent.")
    unit: UnitCode = Field(description="Mã đơn vị thật. / Code of the real unit.")


class ProcedureMeaningIn(In):
    """A word for a procedure, and the procedure."""

    told: Text = Field(description="Mã mà phần mềm đã gửi. / The word as it was sent.")
    procedure: Word = Field(description="Mã thủ tục thật. / Code of the real procedure.")


class UnitMeaningsIn(In):
    """Words for units."""

    model_config = ConfigDict(json_schema_extra={"examples": [UNIT_EXAMPLE]})

    mappings: Annotated[list[UnitMeaningIn], Field(min_length=1, max_length=MOST)]


class ProcedureMeaningsIn(In):
    """Words for procedures."""

    model_config = ConfigDict(json_schema_extra={"examples": [PROCEDURE_EXAMPLE]})

    mappings: Annotated[list[ProcedureMeaningIn], Field(min_length=1, max_length=MOST)]


class MappingOut(Out):
    """A word and what it means."""

    told: str
    target: str
    actor: str
    recorded_at: Instant

    @classmethod
    def of(cls, mapping: Mapping) -> "MappingOut":
        """Return a mapping as it is shown."""
        return cls(
            told=mapping.told,
            target=mapping.target,
            actor=mapping.actor,
            recorded_at=mapping.recorded_at,
        )


class UnknownWordOut(Out):
    """A word that means nothing yet."""

    told: str = Field(description="Trống: mới chỉ có sự kiện. / Empty: only events were told.")
    dossiers: int = Field(description="Số hồ sơ đang chờ. / Dossiers that wait for its meaning.")
    candidates: list[str] = Field(
        description="Các đơn vị có tên khớp; hệ thống không đoán. / Units whose names fit it."
    )

    @classmethod
    def of(cls, word: UnknownWord) -> "UnknownWordOut":
        """Return a word as it is shown."""
        return cls(told=word.told, dossiers=word.dossiers, candidates=list(word.candidates))


class MappingsOut(Out):
    """The words of a root: those whose meaning was told, and those that wait for one."""

    mappings: list[MappingOut]
    unknown: list[UnknownWordOut] = Field(
        description="Nhiều hồ sơ nhất đứng trước, tối đa 500. / Most dossiers first, 500 at most."
    )
    next_cursor: None = None


class PutOut(Out):
    """A word after it was told."""

    told: str
    target: str
    verdict: str = Field(description="`created` / `unchanged`.", examples=["created"])
    dossiers: int = Field(description="Số hồ sơ được tính lại. / Dossiers that were restated.")

    @classmethod
    def of(cls, put: Put) -> "PutOut":
        """Return what telling a word changed, as it is shown."""
        return cls(
            told=put.told,
            target=put.target,
            verdict="created" if put.is_new else "unchanged",
            dossiers=put.dossiers,
        )


class PutsOut(Out):
    """Words after they were told."""

    mappings: list[PutOut]


def _listed(session: Reading, who: Principal, kind: Kind, root: str | None) -> MappingsOut:
    told, unknown = mappings.listed(session, kind, root=mappings.root_of(session, who, root))
    return MappingsOut(
        mappings=[MappingOut.of(one) for one in told],
        unknown=[UnknownWordOut.of(one) for one in unknown],
    )


@router.get(
    "/units",
    operation_id="listUnitMappings",
    summary="List words for units, and those still unknown",
    responses=problems(UnitUnknown),
)
def list_unit_mappings(session: Reading, who: Reader, root: Root = None) -> MappingsOut:
    """Tên gọi đơn vị đã ánh xạ, và các tên gọi còn hồ sơ nằm ở nơi "chưa xác định".

    Words for units with their meaning, and those behind which dossiers wait in the bucket.
    """
    return _listed(session, who, Kind.UNIT, root)


@router.get(
    "/procedures",
    operation_id="listProcedureMappings",
    summary="List words for procedures, and those still unknown",
    responses=problems(UnitUnknown),
)
def list_procedure_mappings(session: Reading, who: Reader, root: Root = None) -> MappingsOut:
    """Mã thủ tục riêng đã ánh xạ, và các mã chưa có trong danh mục.

    Words for procedures with their meaning, and those that the catalogue does not know.
    """
    return _listed(session, who, Kind.PROCEDURE, root)


REFUSALS: Final = (UnitUnknown, WordTwice, WordKnown, TargetUnknown, TargetIsBucket)


@router.put(
    "/units",
    operation_id="putUnitMappings",
    summary="Tell which units words mean",
    responses=problems(*REFUSALS),
)
def put_unit_mappings(
    body: UnitMeaningsIn,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
    root: Root = None,
) -> PutsOut:
    """Nói tên gọi là đơn vị nào; hồ sơ đã gửi được tính lại như thể luôn ở đơn vị đó.

    Every dossier told with a word is restated as if it had always been at the real unit, without
    a transfer. Figures as they were known before can still be asked for with `known_at`.
    """
    meanings = [Meaning(one.told, one.unit) for one in body.mappings]
    done = mappings.put(
        session,
        Kind.UNIT,
        meanings,
        root=mappings.root_of(session, who, root),
        who=who,
        now=now,
    )
    return PutsOut(mappings=[PutOut.of(one) for one in done])


@router.put(
    "/procedures",
    operation_id="putProcedureMappings",
    summary="Tell which procedures words mean",
    responses=problems(*REFUSALS[:-1]),
)
def put_procedure_mappings(
    body: ProcedureMeaningsIn,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
    root: Root = None,
) -> PutsOut:
    """Nói mã riêng là thủ tục nào; hồ sơ đã gửi được tính lại theo thời hạn của thủ tục đó.

    Every dossier told with a word is restated under the real procedure and its limits.
    """
    meanings = [Meaning(one.told, one.procedure) for one in body.mappings]
    done = mappings.put(
        session,
        Kind.PROCEDURE,
        meanings,
        root=mappings.root_of(session, who, root),
        who=who,
        now=now,
    )
    return PutsOut(mappings=[PutOut.of(one) for one in done])
