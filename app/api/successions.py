"""What becomes of units: mergers, splits, renamings and abolitions."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import ConfigDict, Field, JsonValue

from app.api.doors import doors
from app.api.fields import CodeInPath, Day, In, Out, Text, UnitCode
from app.api.idempotency import Once
from app.api.problems import at, problems
from app.api.units import CatalogueWriter
from app.deps import Now, Writing
from app.store.units import TreeFull, TreeTooDeep, UnitUnknown
from app.usecases import successions
from app.usecases.catalogue import ParentLoop, RootForbidden, ValidityReversed
from app.usecases.subtree import reach_of
from app.usecases.successions import (
    Done,
    SuccessionBuiltOn,
    SuccessionInFuture,
    SuccessionKind,
    SuccessionKnown,
    SuccessionLoop,
    SuccessionSpec,
    SuccessionUnknown,
    SuccessorCeased,
    SuccessorsMismatch,
    SuccessorUnknown,
)

router = doors("/v1/units", tag="catalogue")

EXAMPLE: dict[str, JsonValue] = {
    "kind": "merger",
    "effective_on": "2025-07-01",
    "successors": ["H44.100"],
    "document": "Nghị quyết sắp xếp đơn vị hành chính",
}


class SuccessionIn(In):
    """What became of a unit."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    kind: SuccessionKind = Field(strict=False, description="Hình thức. / What became of it.")
    effective_on: Day = Field(
        description="Ngày có hiệu lực: ngày đầu tiên đơn vị không còn. / Its first day no more."
    )
    successors: Annotated[list[UnitCode], Field(max_length=50)] = Field(
        default_factory=list, description="Đơn vị kế thừa. / Who goes on for it."
    )
    continuing: UnitCode | None = Field(
        None,
        description="Khi chia tách: đơn vị nhận hồ sơ đang giải quyết, không nêu thì không chuyển. "
        "/ Of a split: who takes what is open; nobody if it is not named.",
    )
    children_to: UnitCode | None = Field(
        None,
        description="Cấp trên mới của đơn vị trực thuộc; không nêu: đơn vị kế thừa, khi bãi bỏ là "
        "cấp trên của đơn vị. / New parent of the units below; the successor, or of an abolished "
        "unit its parent, if it is not named.",
    )
    document: Text = Field(description="Văn bản. / The document that orders it.")

    def to_spec(self) -> SuccessionSpec:
        """Return what is told."""
        return SuccessionSpec(
            kind=self.kind,
            effective_on=self.effective_on,
            successors=tuple(self.successors),
            continuing=self.continuing,
            children_to=self.children_to,
            document=self.document,
        )


class MovedOut(Out):
    """What passes to the successor."""

    open: int = Field(description="Đang giải quyết đầu ngày đó. / In hand as the day began.")
    awaiting: int = Field(description="Chờ tiếp nhận. / Not yet received.")
    since: int = Field(
        description="Gửi bằng mã cũ từ ngày đó. / Told by the old code from that day on."
    )
    restated: int = Field(description="Hồ sơ được tính lại. / Dossiers read again.")


class SuccessionOut(Out):
    """A succession, as told or as it would be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "unit": "H44.90",
                    **EXAMPLE,
                    "continuing": "H44.100",
                    "children": [],
                    "dossiers": {"open": 31, "awaiting": 2, "since": 5, "restated": 38},
                    "applied": True,
                }
            ]
        }
    )

    unit: str
    kind: str
    effective_on: Day
    successors: list[str]
    continuing: str | None
    document: str
    children: list[str] = Field(
        description="Đơn vị trực thuộc chuyển cấp trên. / Units below that get another parent."
    )
    dossiers: MovedOut
    applied: bool = Field(description="Đã ghi; xem trước thì `false`. / Written; not if previewed.")

    @classmethod
    def of(cls, done: Done, *, applied: bool) -> "SuccessionOut":
        """Return a succession."""
        spec, moved = done.spec, done.moved
        return cls(
            unit=done.unit.code,
            kind=spec.kind.value,
            effective_on=spec.effective_on,
            successors=list(spec.successors),
            continuing=spec.heir,
            document=spec.document,
            children=list(done.children),
            dossiers=MovedOut(
                open=moved.open,
                awaiting=moved.awaiting,
                since=moved.since,
                restated=moved.restated,
            ),
            applied=applied,
        )


class ReversalIn(In):
    """Why a succession is taken back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"document": "Công văn đính chính"}]})

    document: Text = Field(description="Văn bản. / The document that orders it.")


class ReversalOut(Out):
    """A succession that was taken back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"unit": "H44.90", "restated": 38}]})

    unit: str
    restated: int


@router.post(
    "/{code}/succession",
    operation_id="postSuccession",
    summary="Tell that a unit merged, split, changed its name or was abolished",
    response_model=SuccessionOut,
    responses=problems(
        UnitUnknown,
        SuccessionInFuture,
        SuccessionKnown,
        SuccessionLoop,
        SuccessorsMismatch,
        SuccessorUnknown,
        SuccessorCeased,
        ValidityReversed,
        ParentLoop,
        RootForbidden,
        TreeTooDeep,
        TreeFull,
    ),
)
def post_succession(
    code: CodeInPath,
    body: SuccessionIn,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
    once: Once,
    dry_run: Annotated[
        bool, Query(description="Chỉ xem trước, không ghi. / Preview only; nothing is written.")
    ] = False,
) -> Response:
    """Khai một đơn vị được sáp nhập, chia tách, đổi tên hoặc bãi bỏ từ một ngày.

    Hồ sơ còn đang giải quyết ngày đó chuyển sang đơn vị kế thừa; hồ sơ đã kết thúc giữ nguyên ở
    đơn vị cũ. `dry_run=true`: chỉ đếm, ngày có thể còn ở phía trước.

    Tell what became of a unit from a day on. What is open that day passes to the successor as a
    transfer; what had ended stays in the figures of its time; old codes mean the successor from
    then on. The same again changes nothing.
    """

    def answer() -> SuccessionOut:
        within = reach_of(who)
        with at(""):
            spec = body.to_spec()
        if dry_run:
            done = successions.preview(session, code, spec, within=within)
        else:
            done = successions.apply(session, code, spec, actor=who.actor, now=now, within=within)
        return SuccessionOut.of(done, applied=not dry_run)

    return once.answer(session, who, answer, now=now)


@router.post(
    "/{code}/succession/reversal",
    operation_id="reverseSuccession",
    summary="Take back a succession that was told by mistake",
    response_model=ReversalOut,
    responses=problems(UnitUnknown, SuccessionUnknown, SuccessionBuiltOn),
)
def reverse_succession(
    code: CodeInPath,
    body: ReversalIn,
    session: Writing,
    who: CatalogueWriter,
    now: Now,
    once: Once,
) -> Response:
    """Hủy một lần sắp xếp khai nhầm: số liệu tính lại như chưa từng có.

    Những gì đã biết trước đó vẫn đọc được bằng `known_at`.

    Take a succession back: everything is restated as if it had never been, and what was believed
    meanwhile stays readable by `known_at`.
    """

    def answer() -> ReversalOut:
        restated = successions.reverse(
            session,
            code,
            document=body.document,
            actor=who.actor,
            now=now,
            within=reach_of(who),
        )
        return ReversalOut(unit=code, restated=restated)

    return once.answer(session, who, answer, now=now)
