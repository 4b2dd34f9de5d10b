"""Pauses (tạm dừng): intervals in which the clock of a dossier stands still or starts anew."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar, Final

from app.domain.almanac import NaiveInstant
from app.domain.errors import Invalid
from app.domain.values import immutable


@dataclass(eq=False, kw_only=True)
class PauseEndsBeforeStart(Invalid):
    """A pause ends before it begins."""

    code: ClassVar[str] = "pause.ends_before_start"
    started_at: str
    ended_at: str


class PauseKind(StrEnum):
    """Why the clock stands still."""

    SUPPLEMENT = "supplement"
    """The applicant must complete the dossier (yêu cầu bổ sung)."""
    PAYMENT = "payment"
    """The applicant must meet a financial obligation (nghĩa vụ tài chính)."""
    STOPPED = "stopped"
    """The unit has suspended the dossier (dừng xử lý)."""
    OTHER_AGENCY = "other_agency"
    """Another agency must answer first (lấy ý kiến cơ quan khác)."""
    OTHER = "other"


class PausePolicy(StrEnum):
    """What a pause does to the limit."""

    SHIFT = "shift"
    """The time inside the pause does not count."""
    RESTART = "restart"
    """The whole limit runs again from the end of the pause."""


DEFAULT_POLICIES: Final[Mapping[PauseKind, PausePolicy]] = {
    PauseKind.SUPPLEMENT: PausePolicy.RESTART,
    PauseKind.PAYMENT: PausePolicy.SHIFT,
    PauseKind.STOPPED: PausePolicy.SHIFT,
    PauseKind.OTHER_AGENCY: PausePolicy.SHIFT,
    PauseKind.OTHER: PausePolicy.SHIFT,
}
"""What holds for a procedure whose rules name no policy."""


@immutable
class Pause:
    """One interval ``[started_at, ended_at)``; open while ``ended_at`` is None.

    ``inferred`` marks a stretch that only a status tells of. ``new_due_at`` is the due date that
    the sender named with this pause.

    :raises PauseEndsBeforeStart: if it ends before it begins.
    :raises NaiveInstant: if an instant has no offset.
    """

    kind: PauseKind
    started_at: datetime
    ended_at: datetime | None
    policy: PausePolicy
    inferred: bool = False
    new_due_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse naive instants and an end before the beginning."""
        told = (self.started_at, self.ended_at, self.new_due_at)
        for index, instant in enumerate(told):
            if instant is None or instant.tzinfo is UTC:
                continue
            if instant.utcoffset() is None:
                name = ("started_at", "ended_at", "new_due_at")[index]
                raise NaiveInstant(field=f"pauses.{name}")
        if self.ended_at is not None and self.ended_at < self.started_at:
            raise PauseEndsBeforeStart(
                started_at=self.started_at.isoformat(), ended_at=self.ended_at.isoformat()
            )


@immutable
class PauseSpan:
    """Overlapping or touching pauses taken as one, within the life of the dossier."""

    started_at: datetime
    ended_at: datetime | None
    policy: PausePolicy
    parts: tuple[Pause, ...]

    @property
    def kinds(self) -> tuple[PauseKind, ...]:
        """List the kinds of the parts, each once, in order of their beginning."""
        return tuple(dict.fromkeys(part.kind for part in self.parts))

    @property
    def inferred(self) -> bool:
        """Ask whether nothing but statuses tells of this span."""
        return all(part.inferred for part in self.parts)

    @property
    def new_due_at(self) -> datetime | None:
        """Return the date that the sender named with the last part that names one."""
        named = [part.new_due_at for part in self.parts if part.new_due_at is not None]
        return named[-1] if named else None


def without_replaced(pauses: Iterable[Pause]) -> tuple[Pause, ...]:
    """Drop each inferred pause that an explicit one of its kind overlaps."""
    pauses = tuple(pauses)
    explicit = [pause for pause in pauses if not pause.inferred]
    if len(explicit) == len(pauses):
        return pauses
    return tuple(
        pause
        for pause in pauses
        if not pause.inferred
        or not any(told.kind is pause.kind and _overlap(told, pause) for told in explicit)
    )


def _overlap(one: Pause, other: Pause) -> bool:
    return _begins_before_end(one, other) and _begins_before_end(other, one)


def _begins_before_end(one: Pause, other: Pause) -> bool:
    return other.ended_at is None or one.started_at < other.ended_at


def united(
    pauses: Iterable[Pause], start: datetime, finish: datetime | None = None
) -> tuple[PauseSpan, ...]:
    """Join pauses into disjoint spans within ``[start, finish]``, in order of time.

    Inferred pauses that an explicit one replaces are dropped first. A joined span restarts the
    limit if any of its parts does.
    """
    pauses = tuple(pauses)
    if len(pauses) == 1:
        only = _clipped(pauses[0], start, finish)
        return tuple([PauseSpan(one.started_at, one.ended_at, one.policy, only) for one in only])
    kept = sorted(
        (part for pause in without_replaced(pauses) for part in _clipped(pause, start, finish)),
        key=_beginning,
    )
    spans: list[PauseSpan] = []
    for pause in kept:
        last = spans[-1] if spans else None
        if last is None or (last.ended_at is not None and last.ended_at < pause.started_at):
            spans.append(PauseSpan(pause.started_at, pause.ended_at, pause.policy, (pause,)))
        else:
            spans[-1] = _joined(last, pause)
    return tuple(spans)


def _beginning(pause: Pause) -> tuple[datetime, str, str]:
    return pause.started_at, pause.kind, pause.policy


def _clipped(pause: Pause, start: datetime, finish: datetime | None) -> tuple[Pause, ...]:
    begin = max(pause.started_at, start)
    end = pause.ended_at
    if finish is not None and (end is None or end > finish):
        end = finish
    if end is not None and end <= begin:
        return ()
    if begin is pause.started_at and end is pause.ended_at:
        return (pause,)
    return (Pause(pause.kind, begin, end, pause.policy, pause.inferred, pause.new_due_at),)


def _joined(span: PauseSpan, pause: Pause) -> PauseSpan:
    restart = PausePolicy.RESTART in {span.policy, pause.policy}
    ends = (span.ended_at, pause.ended_at)
    return PauseSpan(
        span.started_at,
        None if ends[0] is None or ends[1] is None else max(ends[0], ends[1]),
        PausePolicy.RESTART if restart else PausePolicy.SHIFT,
        (*span.parts, pause),
    )
