"""Why a closed figure is another one today: what was learned of the dossiers since.

Causes describe what the record shows and accuse nobody; a dossier can have several.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.record import Message, MessageKind


class Cause(StrEnum):
    """What changed a dossier after its figures were closed (lý do số liệu thay đổi)."""

    LATE_ARRIVAL = "late_arrival"
    """It was told for the first time after the closing."""
    TOLD_AGAIN = "told_again"
    """Its sender told a newer full record."""
    LATE_EVENT = "late_event"
    """A step, pause or resumption was told."""
    CORRECTION = "correction"
    EXTENSION = "extension"
    APOLOGY = "apology"
    TRANSFER = "transfer"
    REOPENING = "reopening"
    VOID = "void"
    CALENDAR_CHANGE = "calendar_change"
    """Another calendar moved its due date."""
    RULE_CHANGE = "rule_change"
    """Another limit of its procedure moved its due date."""
    MAPPING = "mapping"
    """A word for its unit or procedure was understood."""
    TWIN = "twin"
    """It was found to be the same as another dossier, or no longer."""
    SUCCESSION = "succession"
    """Its unit has a successor, or another one."""
    REFOLDED = "refolded"
    """Rules of reading changed; nothing was told of it."""
    TREE = "tree"
    """The unit stands elsewhere in the tree."""
    IN_FLIGHT = "in_flight"
    """It was being written at the moment of the closing."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was believed of a dossier at one moment, as far as it tells causes apart."""

    units: frozenset[int]
    procedure: int | None
    is_counted: bool
    has_succeeded: bool


def causes(
    after: Iterable[Message],
    *,
    before: Seen | None,
    now: Seen | None,
    calendars: Collection[str],
) -> tuple[Cause, ...]:
    """Return why a dossier counts otherwise, in the order of ``Cause``.

    ``after`` are the messages learned since; ``before`` is None for a dossier that was unknown,
    ``now`` is None for one that stands at none of the units any more; ``calendars`` are the ids
    by which a change of a calendar is told from one of a limit.
    """
    told = list(after)
    if before is None:
        return (Cause.LATE_ARRIVAL,) if told else (Cause.MAPPING,)
    found = {_cause(message, calendars) for message in told}
    found |= _silent(told, before, now)
    if not found:
        found.add(Cause.REFOLDED)
    return tuple(one for one in Cause if one in found)


def _silent(told: Collection[Message], before: Seen, now: Seen | None) -> set[Cause]:
    """Return what no message tells: words understood, twins, successors."""
    found: set[Cause] = set()
    if now is not None and now.is_counted is not before.is_counted:
        found.add(Cause.TWIN)
    if now is not None and now.has_succeeded is not before.has_succeeded:
        found.add(Cause.SUCCESSION)
    elif not told and (now is None or now.units != before.units):
        found.add(Cause.MAPPING)
    if not told and now is not None and now.procedure != before.procedure:
        found.add(Cause.MAPPING)
    return found


_KINDS: Final = {
    MessageKind.RECORD: Cause.TOLD_AGAIN,
    MessageKind.STEP: Cause.LATE_EVENT,
    MessageKind.PAUSE: Cause.LATE_EVENT,
    MessageKind.RESUME: Cause.LATE_EVENT,
    MessageKind.EXTENSION: Cause.EXTENSION,
    MessageKind.TRANSFER: Cause.TRANSFER,
    MessageKind.CORRECTION: Cause.CORRECTION,
    MessageKind.REOPENING: Cause.REOPENING,
    MessageKind.VOID: Cause.VOID,
    MessageKind.APOLOGY: Cause.APOLOGY,
}


def _cause(message: Message, calendars: Collection[str]) -> Cause:
    if message.kind is MessageKind.CALENDAR_CHANGE:
        named = (message.told.get("reason") or "").partition("@")[0]
        return Cause.CALENDAR_CHANGE if named in calendars else Cause.RULE_CHANGE
    return _KINDS[message.kind]
