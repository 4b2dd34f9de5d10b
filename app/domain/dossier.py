"""A dossier (hồ sơ) as folded from everything that its sender told us.

``fold`` is a pure function of the messages and of the terms in force; the same messages in any
order of delivery give the same dossier, save where the order of learning is itself the rule:
an older record that arrives after the held promise has passed may not move that promise later,
and a correction counts only if it was learned in time (``clock.md``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from app.domain.record import (
    OPEN_STATUSES,
    ExtensionTold,
    Message,
    MessageKind,
    PauseTold,
    Status,
    Told,
)
from app.domain.stay import Heirs, Lull, Stay, inherited
from app.domain.values import immutable

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
"""The zone of every local day in the figures; a unit's calendar may name another for its hours."""


Units = Mapping[tuple[int, str], int]
"""The unit behind each word that a sender with a root used for one."""


class Ending(StrEnum):
    """How a dossier left the unit's hands: with a result, or without one."""

    FINISHED = "finished"
    WITHDRAWN = "withdrawn"
    STOPPED = "stopped"


class Issue(StrEnum):
    """A thing to look at in an accepted dossier: it describes and does not accuse."""

    FINISHED_WITHOUT_DATE = "finished_without_date"
    FINISH_FROM_RETURN = "finish_from_return"
    FINISH_BEFORE_RECEIPT = "finish_before_receipt"
    FINISH_DATE_CHANGED = "finish_date_changed"
    RECEIPT_UNKNOWN = "receipt_unknown"
    END_INFERRED = "end_inferred"
    NO_DUE = "no_due"
    DUE_NOT_COMPUTABLE = "due_not_computable"
    DUE_CHANGED_AFTER_PASSING = "due_changed_after_passing"
    DUE_CHANGED_SILENTLY = "due_changed_silently"
    DUE_NOT_REPRODUCIBLE = "due_not_reproducible"
    LATE_BEFORE_CORRECTION = "late_before_correction"
    STATUS_BACKWARDS = "status_backwards"
    SECOND_EXTENSION = "second_extension"
    EXTENSION_TOO_LATE = "extension_too_late"
    NOTICE_LATE = "notice_late"
    MORE_THAN_ONE_SUPPLEMENT = "more_than_one_supplement"
    UNKNOWN_UNIT = "unknown_unit"
    UNIT_BY_NAME = "unit_by_name"
    UNKNOWN_PROCEDURE = "unknown_procedure"
    UNKNOWN_CHANNEL = "unknown_channel"
    UNKNOWN_PARENT = "unknown_parent"
    ZERO_DURATION = "zero_duration"
    DATES_AHEAD = "dates_ahead"
    FINISH_BACKDATED = "finish_backdated"
    NUMBER_DATE_DIFFERS = "number_date_differs"
    PAUSE_LONGER_THAN_LIMIT = "pause_longer_than_limit"
    PAUSE_JUST_BEFORE_DUE = "pause_just_before_due"
    ONLINE_AT_INFORMATION_LEVEL = "online_at_information_level"
    RECEIPT_ENTERED_LATE = "receipt_entered_late"
    CLOSED_IN_SAME_MINUTE = "closed_in_same_minute"
    CLOSED_IN_BULK = "closed_in_bulk"
    SAME_FROM_TWO_SOURCES = "same_from_two_sources"
    RENUMBERED = "renumbered"
    NUMBER_UNCLEAR = "number_unclear"


@immutable
class Closing:
    """One end of a dossier: when it was first said to be, and what the sender says now.

    ``at`` judges promised, extended and statutory; ``as_sent_at`` judges as_sent;
    ``told_at`` is the stamp of the message that told it first.
    """

    ending: Ending
    at: datetime
    as_sent_at: datetime
    told_at: datetime
    reopened_at: datetime | None = None


@immutable
class Promise:
    """One due date that was told as the promise, or as its correction."""

    due_at: datetime
    reason: str
    document: str | None
    learned_at: datetime
    told_at: datetime
    is_approved: bool = False


@immutable
class CalendarChange:
    """A calendar that was changed while the dossier was open, and the promise that it moved."""

    old_due_at: datetime
    due_at: datetime
    document: str | None
    learned_at: datetime


@immutable
class History:
    """What the messages say, put in order and read once; no calendar, no law."""

    facts: Told
    stays: tuple[Stay, ...]
    closings: tuple[Closing, ...]
    pauses: tuple[PauseTold, ...]
    inferred: tuple[PauseTold, ...]
    extensions: tuple[ExtensionTold, ...]
    promise: Promise | None
    corrections: tuple[Promise, ...]
    voided_at: datetime | None
    status_at: datetime | None
    apology_at: datetime | None
    apology_exempt: bool
    first_recorded_at: datetime
    last_recorded_at: datetime
    source_updated_at: datetime
    root: int
    rules_known_at: datetime
    calendar_changes: tuple[CalendarChange, ...]
    issues: frozenset[Issue]

    @property
    def received_at(self) -> datetime | None:
        """Return the receipt as shown on the slip, or None while none is known."""
        return self.facts.get("received_at")

    @property
    def clock_start_at(self) -> datetime | None:
        """Return when the complete dossier was received by the unit that must decide.

        Source: ND 118/2025, Điều 17.3 as amended by ND 309/2026, Điều 8.
        """
        return self.facts.get("clock_start_at") or self.facts.get("received_at")


@dataclass(slots=True)
class _Cycle:
    """One life between receipt (or reopening) and closing, while messages are read."""

    ending: Ending | None = None
    at: datetime | None = None
    as_sent_at: datetime | None = None
    told_at: datetime | None = None
    told: bool = False
    returned_at: datetime | None = None
    reopened_at: datetime | None = None

    def close(self, ending: Ending, at: datetime, *, told: bool, stamp: datetime) -> None:
        """Take the first end as the one that judges, and the latest as what is sent."""
        if self.ending is None or (not self.told and told):
            self.ending, self.at, self.told = ending, at, told
            self.told_at = stamp
        self.as_sent_at = at


_PAUSING = {
    Status.AWAITING_SUPPLEMENT: "supplement",
    Status.AWAITING_PAYMENT: "payment",
    Status.STOPPED: "stopped",
}
_REFUSED = frozenset({Status.REFUSED_AT_INTAKE, Status.WITHDRAWN})
_SUSPENDING = frozenset(_PAUSING)
_RECORD: Final = MessageKind.RECORD
_CORRECTION: Final = MessageKind.CORRECTION
_CHANGE: Final = MessageKind.CALENDAR_CHANGE
_STOPPED: Final = Status.STOPPED
_WITHDRAWN: Final = Status.WITHDRAWN
_REFUSED_AT_INTAKE: Final = Status.REFUSED_AT_INTAKE
_FINISHED: Final = Ending.FINISHED
# Members by a name of the module: to ask an enumeration for one takes ten times as long.
_RANK = {
    Status.SUBMITTED: 0,
    Status.REFUSED_AT_INTAKE: 1,
    Status.RECEIVED: 1,
    Status.PROCESSING: 2,
    Status.AWAITING_SUPPLEMENT: 2,
    Status.AWAITING_PAYMENT: 2,
    Status.STOPPED: 2,
    Status.WITHDRAWN: 3,
    Status.FINISHED: 3,
    Status.RETURNED: 4,
}


def in_order(messages: Iterable[Message]) -> list[Message]:
    """Order messages as news: by stamp, then canonical form; unstamped ones by arrival.

    Two snapshots without a stamp and with the same newest date differ only in what was learned
    later, so among them the order of arrival is the order of news.
    """
    ordered = list(messages)
    if _is_ascending(ordered):
        return ordered
    if len({one.source_updated_at for one in ordered}) == len(ordered):
        ordered.sort(key=_stamp)
        return ordered
    return [
        message
        for _, message in sorted(
            enumerate(ordered),
            key=lambda pair: (
                pair[1].source_updated_at,
                not pair[1].stamped,
                (0, pair[1].digest) if pair[1].stamped else (pair[0], ""),
            ),
        )
    ]


def _is_ascending(messages: Sequence[Message]) -> bool:
    """Tell whether each message is newer than the one before it, as most arrive."""
    last: datetime | None = None
    for one in messages:
        stamp = one.source_updated_at
        if last is not None and stamp <= last:
            return False
        last = stamp
    return True


_stamp = attrgetter("source_updated_at")


def _step_at(message: Message, statuses: Sequence[tuple[datetime, Status]]) -> datetime:
    """Return when a record's status began: its stamp, or for unstamped news our own sight.

    A snapshot without a stamp that differs from an earlier one only by its status carries no date
    of that change; the first moment at which we saw it is the earliest that is certain.
    """
    stamp = message.source_updated_at
    if message.stamped or not statuses:
        return stamp
    newest, status = statuses[-1]
    if stamp > newest or status == message.told.get("status"):
        return stamp
    return max(message.recorded_at, newest)


class _Reader:
    """Reads messages in the order of news and gathers a history."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.facts: Told = {}
        self.stays: list[Stay] = []
        self.cycles = [_Cycle()]
        self.statuses: list[tuple[datetime, Status]] = []
        self.event_pauses: list[PauseTold] = []
        self.extensions: list[ExtensionTold] = []
        self.voided_at: datetime | None = None
        self.apology_at: datetime | None = None
        self.apology_exempt = False
        self.is_seen = False
        self.issues: set[Issue] = set()

    def read(self, message: Message) -> None:
        """Take in one message that is newer than all before it."""
        if message.kind is _RECORD:
            self._record(message)
            return
        match message.kind:
            case MessageKind.STEP:
                self._move(message, message.told.get("unit"))
                self._status(message.told.get("status"), message.at, message)
            case MessageKind.TRANSFER:
                self._move(message, message.told.get("unit"))
            case MessageKind.CORRECTION:
                self._correct(message)
            case MessageKind.REOPENING:
                self._reopen(message.at)
            case MessageKind.VOID:
                self.voided_at = self.voided_at or message.at
            case _:
                self._letter_or_pause(message)

    def _letter_or_pause(self, message: Message) -> None:
        told, at = message.told, message.at
        due_at = told.get("due_at")
        match message.kind:
            case MessageKind.PAUSE:
                self.event_pauses.append(PauseTold(told.get("pause_kind") or "other", at))
            case MessageKind.RESUME:
                self._resume(at, told)
            case MessageKind.EXTENSION if due_at is not None:
                self._extend(ExtensionTold(at, due_at, told.get("document")))
                self._apologise(at)
            case MessageKind.APOLOGY if told.get("exempt"):
                self.apology_exempt = True
            case MessageKind.APOLOGY:
                self._apologise(at)
            case _:
                pass

    def _record(self, message: Message) -> None:
        told = message.told
        self._move(message, told.get("unit"))
        self.facts.update(told)
        extension = told.get("extension")
        if extension is not None:
            self._extend(extension)
            self._apologise(extension.issued_at)
        statuses = self.statuses if self.is_seen else ()
        self._status(told.get("status"), _step_at(message, statuses), message)
        self.is_seen = True

    def _move(self, message: Message, unit: str | None) -> None:
        if unit is None:
            return
        held = self.units[message.root, unit]
        if not self.stays:
            self.stays.append(Stay(held, None))
        elif self.stays[-1].unit != held:
            since = (
                message.at if message.kind is not MessageKind.RECORD else message.source_updated_at
            )
            self.stays.append(Stay(held, since))

    def _status(self, status: Status | None, at: datetime, message: Message) -> None:
        told = message.told
        cycle = self.cycles[-1]
        finished_at = told.get("finished_at")
        if status is not None:
            self._notice_backwards(status)
            self.facts["status"] = status
            if not self.statuses or self.statuses[-1][1] is not status:
                self.statuses.append((at, status))
            ends = status is _STOPPED and (told.get("ended_at") or told.get("outcome"))
            if (
                status in OPEN_STATUSES
                and not ends
                and finished_at is None
                and cycle.at is not None
                and at > cycle.at
            ):
                cycle = self._reopen(at)
            elif status is _WITHDRAWN or ends:
                self._end(cycle, status, at, message)
        if cycle.returned_at is None:
            cycle.returned_at = told.get("returned_at")
        if finished_at is not None and status is not _WITHDRAWN:
            cycle.close(_FINISHED, finished_at, told=True, stamp=message.source_updated_at)
        elif status is _REFUSED_AT_INTAKE and self.facts.get("received_at") is not None:
            ended = told.get("ended_at")
            cycle.close(
                _FINISHED, ended or at, told=ended is not None, stamp=message.source_updated_at
            )

    def _end(self, cycle: _Cycle, status: Status, at: datetime, message: Message) -> None:
        ended = message.told.get("ended_at") or message.told.get("finished_at")
        if ended is None:
            self.issues.add(Issue.END_INFERRED)
        ending = Ending.WITHDRAWN if status is Status.WITHDRAWN else Ending.STOPPED
        if cycle.ending is not Ending.FINISHED:
            cycle.close(
                ending, ended or at, told=ended is not None, stamp=message.source_updated_at
            )

    def _notice_backwards(self, status: Status) -> None:
        if self.statuses and _RANK[status] < _RANK[self.statuses[-1][1]]:
            self.issues.add(Issue.STATUS_BACKWARDS)

    def _reopen(self, at: datetime) -> _Cycle:
        cycle = self.cycles[-1]
        closed_at = cycle.at or cycle.returned_at
        if closed_at is None or at < closed_at:
            return cycle
        cycle.reopened_at = at
        self.cycles.append(_Cycle())
        return self.cycles[-1]

    def _resume(self, at: datetime, told: Told) -> None:
        kind = told.get("pause_kind")
        for index in range(len(self.event_pauses) - 1, -1, -1):
            pause = self.event_pauses[index]
            if pause.ended_at is None and kind in (None, pause.kind):
                self.event_pauses[index] = PauseTold(
                    pause.kind, pause.started_at, at, told.get("due_at")
                )
                return

    def _extend(self, extension: ExtensionTold) -> None:
        """Take a letter once, however often it is told; a number told later is added to it."""
        for index, known in enumerate(self.extensions):
            if (known.issued_at, known.new_due_at) == (extension.issued_at, extension.new_due_at):
                if extension.document is not None:
                    self.extensions[index] = extension
                return
        self.extensions.append(extension)

    def _apologise(self, at: datetime) -> None:
        if self.apology_at is None or at < self.apology_at:
            self.apology_at = at

    def _correct(self, message: Message) -> None:
        told = message.told
        if "received_at" in told:
            self.facts["received_at"] = told["received_at"]
        if "due_at" in told:
            self.facts["due_at"] = told["due_at"]
        finished_at = told.get("finished_at")
        if finished_at is not None:
            self.facts["finished_at"] = finished_at
            cycle = self.cycles[-1]
            if told.get("approved") and cycle.at is not None:
                cycle.at = cycle.as_sent_at = finished_at
            else:
                cycle.close(
                    Ending.FINISHED, finished_at, told=True, stamp=message.source_updated_at
                )

    def closings(self) -> tuple[Closing, ...]:
        """Return every end with its reopening; a return without a finish date is a finish.

        An end that is dated before the reopening it follows counts from that reopening.
        """
        found: list[Closing] = []
        for cycle in self.cycles:
            ending, at = cycle.ending, cycle.at
            if ending is None and cycle.returned_at is not None:
                ending, at = _FINISHED, cycle.returned_at
                self.issues.add(Issue.FINISH_FROM_RETURN)
            if ending is None or at is None:
                continue
            as_sent = cycle.as_sent_at or at
            if as_sent != at:
                self.issues.add(Issue.FINISH_DATE_CHANGED)
            since = found[-1].reopened_at if found else None
            if since is not None:
                at, as_sent = max(at, since), max(as_sent, since)
            found.append(Closing(ending, at, as_sent, cycle.told_at or at, cycle.reopened_at))
        return tuple(found)

    def begins(self, first_told: datetime) -> datetime:
        """Return the first instant at which the dossier waited for anybody."""
        known = (self.facts.get("submitted_at"), self.facts.get("received_at"))
        told = [at for at in known if at is not None]
        return min(told) if told else self.statuses[0][0] if self.statuses else first_told

    def lulls(self, closings: Sequence[Closing]) -> tuple[Lull, ...]:
        """Return when the dossier waited for nobody: ended, refused before receipt, or voided."""
        received_at = self.facts.get("received_at")
        found: list[Lull] = []
        if received_at is not None:
            found = [(max(one.at, received_at), one.reopened_at) for one in closings]
        elif self.statuses and self.statuses[-1][1] in _REFUSED:
            found = [(self.facts.get("ended_at") or self.statuses[-1][0], None)]
        if self.voided_at is not None:
            found.append((self.voided_at, None))
        return tuple(found)

    def inferred_pauses(self) -> tuple[PauseTold, ...]:
        """Return the stretches in a suspending status, each until the next other status."""
        found = []
        for index, (at, status) in enumerate(self.statuses):
            kind = _PAUSING.get(status)
            if kind is None:
                continue
            later = self.statuses[index + 1][0] if index + 1 < len(self.statuses) else None
            if later is None or later > at:
                found.append(PauseTold(kind, at, later))
        return tuple(found)


_NO_HEIRS: Heirs = MappingProxyType({})


def gather(
    messages: Sequence[Message],
    units: Units,
    *,
    nowhere: int | None = None,
    heirs: Heirs = _NO_HEIRS,
) -> History:
    """Read all messages of one dossier, given in order of arrival, into its history.

    ``units`` gives the unit behind each (root, word) that occurs in the messages; an unknown word
    is the bucket of its root, and ``nowhere`` holds a dossier of which only events are known.
    ``heirs`` are the successors of units that ceased.

    :raises KeyError: a word for a unit is missing from ``units``.
    """
    plain = plain_history(messages, units, heirs)
    if plain is not None:
        return plain
    return gather_all(messages, units, nowhere=nowhere, heirs=heirs)


def plain_history(
    messages: Sequence[Message], units: Units, heirs: Heirs = _NO_HEIRS
) -> History | None:
    """Read records that tell of little more than dates; None if they tell of more.

    Most dossiers are told in this way: received, finished and returned, at one unit, some with
    pauses; without letter, withdrawal, reopening, or a second date of the finish. ``gather_all``
    says the same of them, only slower.

    :raises KeyError: the word for a unit is missing from ``units``.
    """
    news = messages if len(messages) == 1 else in_order(messages)
    held = _plain_unit(news, units)
    end = None if held is None or held in heirs else _plain_end(news)
    if held is None or end is None:
        return None
    last = news[-1]
    facts, root, heard = last.told, last.root, last.recorded_at
    first_heard, known_at = heard, heard
    status = facts.get("status")
    status_at, issues = None if status is None else last.source_updated_at, _NO_ISSUES
    if len(news) > 1:
        facts, root = _facts_of(news), _root_of(news)
        status_at, issues = _plain_steps(news)
        every = [one.recorded_at for one in messages]
        first_heard, heard = min(every), max(every)
        known_at = _rules_known_at(messages, ())
    closings, is_returned = end
    return History(
        facts,
        _one_stay(held),
        closings,
        facts.get("pauses") or (),
        (),  # inferred ones
        (),  # extensions
        _promises(messages)[0],
        (),  # corrections
        None,  # voided
        status_at,
        None,  # an apology
        False,  # an exemption from one
        first_heard,
        heard,
        last.source_updated_at,
        root,
        known_at,
        (),  # calendar changes
        issues | _FROM_RETURN if is_returned else issues,
    )


@lru_cache(maxsize=16_384)
def _one_stay(unit: int) -> tuple[Stay, ...]:
    return (Stay(unit, None),)


def _plain_unit(news: Sequence[Message], units: Units) -> int | None:
    """Return the unit that all name; None without one, or if one tells of more than dates."""
    found: int | None = None
    for message in news:
        told = message.told
        if (
            message.kind is not _RECORD
            or told.get("status") in _SPECIAL
            or told.get("extension") is not None
        ):
            return None
        unit = told.get("unit")
        if unit is not None:
            held = units[message.root, unit]
            if found is not None and held != found:
                return None
            found = held
    return found


def _plain_end(news: Sequence[Message]) -> tuple[tuple[Closing, ...], bool] | None:
    """Return the one end, and whether it is known from the return alone; None if it was moved."""
    ended: datetime | None = None
    stamp: datetime | None = None
    for message in news:
        at = message.told.get("finished_at")
        if ended is None:
            ended, stamp = at, message.source_updated_at
        elif at != ended and (at is not None or message.told.get("status") in OPEN_STATUSES):
            return None
    if ended is not None and stamp is not None:
        return (Closing(_FINISHED, ended, ended, stamp),), False
    for message in news:
        at = message.told.get("returned_at")
        if at is not None:
            return (Closing(_FINISHED, at, at, at),), True
    return (), False


def _plain_steps(news: Sequence[Message]) -> tuple[datetime | None, frozenset[Issue]]:
    """Return since when the last status holds, and whether one led backwards."""
    statuses: list[tuple[datetime, Status]] = []
    issues = _NO_ISSUES
    for message in news:
        status = message.told.get("status")
        if status is None or (statuses and statuses[-1][1] is status):
            continue
        if statuses and _RANK[status] < _RANK[statuses[-1][1]]:
            issues = _BACKWARDS
        statuses.append((_step_at(message, statuses), status))
    return statuses[-1][0] if statuses else None, issues


def _facts_of(news: Sequence[Message]) -> Told:
    """Return what was told last of each fact."""
    facts: Told = {}
    for message in news:
        facts.update(message.told)
    return facts


def _root_of(news: Sequence[Message]) -> int:
    """Return the root whose words name the procedure: that of the last who told it."""
    return next((one.root for one in reversed(news) if "procedure" in one.told), news[0].root)


_SPECIAL = _SUSPENDING | _REFUSED
"""Statuses that say more than that a dossier is open or finished."""
_NO_ISSUES: Final = frozenset[Issue]()
_FROM_RETURN: Final = frozenset({Issue.FINISH_FROM_RETURN})
_BACKWARDS: Final = frozenset({Issue.STATUS_BACKWARDS})


def gather_all(
    messages: Sequence[Message],
    units: Units,
    *,
    nowhere: int | None = None,
    heirs: Heirs = _NO_HEIRS,
) -> History:
    """Read messages as ``gather`` does, whatever they tell of.

    :raises KeyError: a word for a unit is missing from ``units``.
    """
    reader = _Reader(units)
    news = in_order(messages) if len(messages) > 1 else messages
    for message in news:
        reader.read(message)
    closings = reader.closings()
    explicit = tuple(reader.facts.get("pauses") or ()) + tuple(reader.event_pauses)
    promise, corrections = _promises(messages)
    heard = [message.recorded_at for message in messages]
    applied = [one for one in messages if one.kind is _CHANGE]
    stays = _stays(reader.stays, nowhere)
    if heirs and any(stay.unit in heirs for stay in stays):
        lulls = reader.lulls(closings)
        begins = reader.begins(news[0].source_updated_at)
        stays = inherited(stays, heirs, begins=begins, lulls=lulls)
    return History(
        facts=reader.facts,
        stays=stays,
        closings=closings,
        pauses=explicit,
        inferred=tuple(
            [
                pause
                for pause in reader.inferred_pauses()
                if not any(_overlap(pause, other) for other in explicit if other.kind == pause.kind)
            ]
        ),
        extensions=tuple(sorted(reader.extensions, key=lambda one: one.issued_at)),
        promise=promise,
        corrections=corrections,
        voided_at=reader.voided_at,
        status_at=reader.statuses[-1][0] if reader.statuses else None,
        apology_at=reader.apology_at,
        apology_exempt=reader.apology_exempt,
        first_recorded_at=min(heard),
        last_recorded_at=max(heard),
        source_updated_at=news[-1].source_updated_at,
        root=_root_of(news),
        rules_known_at=_rules_known_at(messages, applied),
        calendar_changes=_calendar_changes(applied) if applied else (),
        issues=frozenset(reader.issues),
    )


def _stays(told: list[Stay], nowhere: int | None) -> tuple[Stay, ...]:
    if told:
        return tuple(told)
    if nowhere is None:
        raise KeyError("no message names a unit")
    return (Stay(nowhere, None),)


def _rules_known_at(messages: Sequence[Message], applied: Sequence[Message]) -> datetime:
    """Return the moment whose calendars hold for the dossier.

    They are those that were known when its receipt was first told, so that a later change of a
    calendar moves nothing by itself; applying the change to the dossier moves the moment.
    """
    if applied:
        return max([one.recorded_at for one in applied])
    receipts = [one.recorded_at for one in messages if one.told.get("received_at") is not None]
    return min(receipts or [one.recorded_at for one in messages])


def _calendar_changes(applied: Sequence[Message]) -> tuple[CalendarChange, ...]:
    return tuple(
        CalendarChange(old, new, one.told.get("document"), one.recorded_at)
        for one in applied
        if (old := one.told.get("old_due_at")) is not None
        and (new := one.told.get("due_at")) is not None
    )


def _local(instant: datetime) -> date:
    return instant.astimezone(ZONE).date()


def _overlap(one: PauseTold, other: PauseTold) -> bool:
    """Tell whether two half-open intervals share an instant; an open one has no end."""
    return (other.ended_at is None or one.started_at < other.ended_at) and (
        one.ended_at is None or other.started_at < one.ended_at
    )


def _promised_in(message: Message) -> datetime | None:
    """Return the promise that a message names: the date that held before its first pause.

    A dossier may be told for the first time when a supplement has moved its date already; the row
    of the supplement names the date before, which is the promise (``NgayHenTraTruoc``).
    """
    due_at = message.told.get("due_at")
    pauses = message.told.get("pauses")
    if due_at is None or not pauses:
        return due_at
    first = min(pauses, key=lambda one: one.started_at)
    return first.old_due_at or due_at


def _promises(messages: Sequence[Message]) -> tuple[Promise | None, tuple[Promise, ...]]:
    """Return the promise that is held after all was learned, and the corrections.

    The first by source time is the promise. An older record that arrives after the held promise
    has passed and would move it later replaces nothing.
    """
    held: Message | None = None
    held_due: datetime | None = None
    corrections: list[Promise] = []
    for message in messages:
        due_at = _promised_in(message)
        if due_at is None or message.kind not in _NAMES_DUE:
            continue
        if message.kind is _CORRECTION:
            corrections.append(_promise(message, due_at))
        elif held is None or held_due is None or _replaces(message, due_at, held, held_due):
            held, held_due = message, due_at
    if len(corrections) > 1:
        corrections.sort(key=lambda one: (one.learned_at, one.told_at))
    found = None if held is None or held_due is None else _promise(held, held_due)
    return found, tuple(corrections)


def _promise(message: Message, due_at: datetime) -> Promise:
    told = message.told
    return Promise(
        due_at,
        _WORDS[message.kind],
        told.get("document"),
        message.recorded_at,
        message.source_updated_at,
        bool(told.get("approved")),
    )


_WORDS: Final = {kind: kind.value for kind in MessageKind}
_NAMES_DUE = frozenset({_RECORD, _CORRECTION})


def _replaces(message: Message, due_at: datetime, held: Message, held_due: datetime) -> bool:
    """Tell whether a record that arrives later is the earlier promise."""
    if message.source_updated_at > held.source_updated_at or not message.order < held.order:
        return False
    return not (due_at > held_due and _local(message.recorded_at) > _local(held_due))
