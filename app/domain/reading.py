"""The four readings of a dossier's due date, always kept side by side (``clock.md``).

``read`` lays the law over a history: which promise is held, what moved it, and for each reading the
course of the dossier from which its edges follow. ``app.domain.verdict`` answers the same question
directly for one instant; a property test holds the two equal.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from app.domain.almanac import CalendarNeverOpens, CalendarYearMissing
from app.domain.calendar import WorkCalendar
from app.domain.deadline import (
    Due,
    Phase,
    clock_start,
    compute_due,
    days_taken,
    due_phases,
    promise,
)
from app.domain.dossier import Ending, History, Issue, Promise
from app.domain.edges import Course, Edge, Standing, edges
from app.domain.limits import LimitKind, TimeLimit
from app.domain.pauses import DEFAULT_POLICIES, Pause, PauseKind, PausePolicy, united
from app.domain.procedure import LimitVersion, Procedure
from app.domain.record import Channel, ExtensionTold, PauseTold, Status
from app.domain.timeliness import FINISHES, Reading, State
from app.domain.values import immutable

_NOT_COMPUTABLE = (CalendarYearMissing, CalendarNeverOpens)
_FINISHED = frozenset(FINISHES.values())
_READINGS: Final = tuple(Reading)
_PROMISED: Final = Reading.PROMISED
_EXTENDED: Final = Reading.EXTENDED
_AS_SENT: Final = Reading.AS_SENT
_STATUTORY: Final = Reading.STATUTORY
_OTHERS: Final = (_EXTENDED, _AS_SENT, _STATUTORY)
_WORKING_HOURS: Final = LimitKind.WORKING_HOURS
_SAME_DAY: Final = LimitKind.SAME_DAY
_UNKNOWN: Final = Channel.UNKNOWN
_SUBMITTED: Final = Status.SUBMITTED
_ENDED: Final = frozenset({Status.FINISHED, Status.RETURNED})
_NO_ISSUES: Final = frozenset[Issue]()
# Members by a name of the module: to ask an enumeration for one takes ten times as long.

_Closed = tuple[datetime, datetime | None]
"""When a dossier was ended, and when it was taken up again."""


@immutable
class Terms:
    """What no sender tells: the calendar of the unit, the procedure, the limit of intake.

    ``procedure`` None is an unknown procedure: its promise is judged by date, and nothing is
    computed for it. ``parent_known`` says whether the parent of a leg has been heard of.
    """

    calendar: WorkCalendar
    procedure: Procedure | None
    intake_limit: TimeLimit
    parent_known: bool = True


@immutable
class Revision:
    """One change of the promise: old and new due date, and why.

    ``reason`` is initial, pause_shift, supplement_restart, extension, correction,
    silent_change or calendar_change; ``at`` is when it takes effect and ``learned_at`` when we
    learned it, None for what follows from a pause and the calendar.
    """

    old: date | None
    new: date | None
    reason: str
    document: str | None
    at: datetime
    learned_at: datetime | None


@immutable
class Ground:
    """What the due date of a reading rests on, for its account.

    ``promised`` is the promise that is moved by ``pauses``; None is our own computation from the
    limit.
    """

    promised: Due | None
    pauses: tuple[Pause, ...]


@immutable
class Clocked:
    """What the law says of one history: limit, start, pauses, and the course of each reading."""

    history: History
    terms: Terms
    version: LimitVersion | None
    start: datetime | None
    promised: Due | None
    due_origin: str
    pauses: tuple[Pause, ...]
    courses: Mapping[Reading, Course]
    grounds: Mapping[Reading, Ground]
    revisions: tuple[Revision, ...]
    issues: frozenset[Issue]

    def edges(self, reading: Reading) -> tuple[Edge, ...]:
        """Return what is counted of the dossier under one reading."""
        return edges(self.courses[reading])

    def due(self, reading: Reading) -> Due | None:
        """Return the due value held last under one reading, None without a due date."""
        standings = self.courses[reading].standings
        return standings[-1].due if standings else None

    def days_taken(self, edge: Edge) -> int | None:
        """Return the whole working days that a finish took, from clock start, less the pauses.

        A time for which the dossier was closed before that finish does not count either. None
        for what is no finish, and when it needs a year of the calendar that is not loaded.
        """
        if self.start is None or edge.flow not in _FINISHED:
            return None
        closed = tuple(
            Pause(PauseKind.OTHER, one.at, one.reopened_at, PausePolicy.SHIFT)
            for one in self.history.closings
            if one.reopened_at is not None and one.at < one.reopened_at <= edge.at
        )
        try:
            return days_taken(self.terms.calendar, self.start, edge.at, self.pauses + closed)
        except CalendarYearMissing:
            return None

    @property
    def due_difference_working_days(self) -> int | None:
        """Return by how many working days the promise told first lies after what the law gives.

        Negative when it is earlier, None when one of the two is not known.
        """
        lines = (
            self.courses[Reading.STATUTORY].standings,
            self.courses[Reading.PROMISED].standings,
        )
        law, told = (line[0].due if line else None for line in lines)
        if law is None or told is None or self.due_origin != "told":
            return None
        try:
            return self.terms.calendar.working_days_between(law.due_on, told.due_on)
        except CalendarYearMissing:
            return None

    @property
    def limit(self) -> TimeLimit | None:
        """Return the time limit of the procedure in force at clock start, None if unknown."""
        return None if self.version is None else self.version.limit

    @property
    def is_leg(self) -> bool:
        """Tell whether it is counted as a leg of a joint dossier and not by itself."""
        return self.history.facts.get("parent") is not None and self.terms.parent_known


def read(history: History, terms: Terms) -> Clocked:
    """Lay the law over a history.

    A due date that needs a calendar year which is not loaded is left out and listed as
    ``due_not_computable``; it is computed when the year arrives.
    """
    return _Clerk(history, terms).clocked()


class _Clerk:
    """Works out the readings of one history, step by step."""

    def __init__(self, history: History, terms: Terms) -> None:
        facts = history.facts
        self.history = history
        self.facts = facts
        self.terms = terms
        self.calendar = terms.calendar
        self.received_at = received_at = facts.get("received_at")
        self.issues = set(history.issues)
        self.revisions: list[Revision] = []
        self.grounds: dict[Reading, Ground] = {}
        self.told: dict[datetime, Due] = {}
        closings = history.closings
        self.is_as_sent = not closings or all(one.at == one.as_sent_at for one in closings)
        begun = history.clock_start_at
        self.version = self._version(begun)
        self.limit = limit = None if self.version is None else self.version.limit
        self.by_instant = limit is not None and limit.by_instant
        self.start = begun
        if limit is not None and begun is not None and limit.kind is _WORKING_HOURS:
            self.start = self._opening(limit, begun)
        self.pauses: tuple[Pause, ...] = ()
        if history.pauses or history.inferred:
            self.pauses = self._pauses([(one.at, one.reopened_at) for one in closings])
        self.unreceived = self._unreceived() if received_at is None else None
        self.submitted_at = submitted_at = self._submitted()
        self.intake_due_at: datetime | None = None
        if submitted_at is not None and (received_at is None or received_at > submitted_at):
            self.intake_due_at = intake_due(
                self.calendar, terms.intake_limit, submitted_at, received_at
            )

    def clocked(self) -> Clocked:
        """Return everything that follows from the history."""
        promised, origin = self._promise()
        standings = self._standings(promised, origin)
        courses = self._courses(standings)
        self._notice(promised, origin, standings)
        return Clocked(
            self.history,
            self.terms,
            self.version,
            self.start,
            promised,
            origin,
            self.pauses,
            courses,
            self.grounds,
            tuple(self.revisions),
            frozenset(self.issues) if self.issues else _NO_ISSUES,
        )

    # ---------------------------------------------------------------- limit, start, pauses

    def _version(self, begun: datetime | None) -> LimitVersion | None:
        procedure = self.terms.procedure
        if begun is None or procedure is None:
            return None
        facts = self.facts
        return procedure.limit_at(
            self.calendar.local_date(begun),
            case=facts.get("case"),
            channel=facts.get("channel") or _UNKNOWN,
        )

    def _opening(self, limit: TimeLimit, begun: datetime) -> datetime:
        try:
            return clock_start(self.calendar, limit, begun)
        except _NOT_COMPUTABLE:
            return begun

    def _submitted(self) -> datetime | None:
        facts = self.facts
        submitted_at = facts.get("submitted_at")
        if submitted_at is None and facts.get("status") is _SUBMITTED:
            return self.history.status_at
        return submitted_at

    def _pauses(self, closed: Sequence[_Closed]) -> tuple[Pause, ...]:
        """Return the pauses, each clipped to the life in which it begins; others never ran."""
        history = self.history
        told = [(pause, False) for pause in history.pauses]
        told += [(pause, True) for pause in history.inferred]
        return tuple(
            pause
            for one, inferred in told
            for pause in self._clipped(one, closed, inferred=inferred)
        )

    def _clipped(
        self, told: PauseTold, closed: Sequence[_Closed], *, inferred: bool
    ) -> Iterator[Pause]:
        kind = PauseKind(told.kind)
        ended_at = told.ended_at
        for end, reopened_at in closed:
            if told.started_at <= end:
                ended_at = end if ended_at is None else min(ended_at, end)
                break
            if reopened_at is None or told.started_at < reopened_at:
                return
        if ended_at is None or ended_at > told.started_at:
            policies = DEFAULT_POLICIES if self.version is None else self.version.policies
            yield Pause(kind, told.started_at, ended_at, policies[kind], inferred, told.new_due_at)

    # ---------------------------------------------------------------- the promise

    def _promise(self) -> tuple[Due | None, str]:
        if self.received_at is None:
            return None, "none"
        held = self.history.promise
        if held is None:
            computed = self._computed()
            self._revise_computed(computed)
            return computed, "none" if computed is None else "computed"
        due = self._told(held.due_at)
        learned_at = held.learned_at
        self.revisions.append(
            Revision(None, due.due_on, "initial", held.document, learned_at, learned_at)
        )
        for correction in self.history.corrections:
            due = self._corrected(due, correction)
        return due, "told"

    def _revise_computed(self, computed: Due | None) -> None:
        """List the promise that was computed first, and each calendar that moved it since."""
        changes = self.history.calendar_changes
        first = self._told(changes[0].old_due_at) if changes else computed
        self._revise(None, first, "initial", self.history.first_recorded_at)
        for change in changes:
            old, new = self._told(change.old_due_at), self._told(change.due_at)
            self._revise(old, new, "calendar_change", change.learned_at, change.document)

    def _computed(self) -> Due | None:
        if self.limit is None or self.start is None:
            return None
        try:
            return compute_due(self.calendar, self.limit, self.start)
        except _NOT_COMPUTABLE:
            self.issues.add(Issue.DUE_NOT_COMPUTABLE)
            return None

    def _told(self, due_at: datetime) -> Due:
        found = self.told.get(due_at)
        if found is not None:
            return found
        try:
            found = promise(self.calendar, due_at, by_instant=self.by_instant)
        except _NOT_COMPUTABLE:
            found = promise(self.calendar, due_at, by_instant=False)
        self.told[due_at] = found
        return found

    def _corrected(self, due: Due, correction: Promise) -> Due:
        """Move the promise by a correction learned in time, or approved by a superior."""
        held = self._phases(due, told=True)[-1].due or due
        passed = correction.learned_at > held.on_time_until
        approved = correction.is_approved
        if passed:
            self.issues.add(
                Issue.LATE_BEFORE_CORRECTION if approved else Issue.DUE_CHANGED_AFTER_PASSING
            )
        if passed and not approved:
            return due
        new = self._told(correction.due_at)
        self._revise(due, new, "correction", correction.learned_at, correction.document)
        return new

    def _revise(
        self,
        old: Due | None,
        new: Due | None,
        reason: str,
        learned_at: datetime | None,
        document: str | None = None,
        *,
        at: datetime | None = None,
    ) -> None:
        effect = at or learned_at
        if effect is not None and new is not None:
            before = None if old is None else old.due_on
            self.revisions.append(
                Revision(before, new.due_on, reason, document, effect, learned_at)
            )

    # ---------------------------------------------------------------- the readings

    def _phases(self, due: Due | None, *, told: bool) -> tuple[Phase, ...]:
        """Return the due values after each effective pause, none when they need a missing year."""
        if self.start is None:
            return (Phase(due, None),)
        limit = self.limit if told or due is not None else None
        if not self.pauses and not self._of_receipt(told=told):
            return (Phase(due, None),)
        try:
            return due_phases(
                self.calendar, limit, self.start, self.pauses, promised=due if told else None
            )
        except _NOT_COMPUTABLE:
            self.issues.add(Issue.DUE_NOT_COMPUTABLE)
            return due_phases(self.calendar, None, self.start, self.pauses)

    def _of_receipt(self, *, told: bool) -> bool:
        """Tell whether the rule of receipt holds, which alone may refuse a promise."""
        return told and self.limit is not None and self.limit.kind is _SAME_DAY

    def _standings(self, promised: Due | None, origin: str) -> dict[Reading, tuple[Standing, ...]]:
        received_at = self.received_at
        if received_at is None:
            return dict.fromkeys(_READINGS, ())
        is_told = origin == "told"
        statutory = line = self._line_of(received_at, promised, told=is_told)
        if is_told:
            computed = self._computed()
            if computed is None:
                statutory = self._without_due(received_at)
            elif self.pauses or self._of_receipt(told=True) or not _alike(computed, promised):
                statutory = self._line_of(received_at, computed, told=False, is_noted=False)
        grounds = self.grounds
        own = Ground(promised, self.pauses) if is_told else Ground(None, self.pauses)
        grounds[_PROMISED] = grounds[_EXTENDED] = own
        grounds[_STATUTORY] = Ground(None, self.pauses) if is_told else own
        return {
            _PROMISED: line,
            _EXTENDED: self._extended(line) if self.history.extensions else line,
            _AS_SENT: self._as_sent(received_at, line),
            _STATUTORY: statutory,
        }

    def _line_of(
        self, received_at: datetime, due: Due | None, *, told: bool, is_noted: bool = True
    ) -> tuple[Standing, ...]:
        """Return how the dossier stands with a due date that is moved by the pauses."""
        if not self.pauses and not self._of_receipt(told=told):
            return (Standing(received_at, False, due),)
        phases = self._phases(due, told=told)
        if is_noted:
            self._note_pauses(phases)
        return _line(received_at, phases)

    def _without_due(self, received_at: datetime) -> tuple[Standing, ...]:
        if not self.pauses:
            return (Standing(received_at, False, None),)
        return _line(received_at, due_phases(self.calendar, None, received_at, self.pauses))

    def _note_pauses(self, phases: Sequence[Phase]) -> None:
        held = phases[0].due
        for phase in phases[1:]:
            if phase.span is not None and phase.due is not None and phase.due != held:
                restart = phase.span.policy is PausePolicy.RESTART
                reason = "supplement_restart" if restart else "pause_shift"
                self._revise(held, phase.due, reason, None, at=phase.span.ended_at)
                held = phase.due

    def _as_sent(self, received_at: datetime, line: tuple[Standing, ...]) -> tuple[Standing, ...]:
        """Return what the latest record says: its due date, not moved by anything."""
        due_at = self.facts.get("due_at")
        history, pauses = self.history, self.pauses
        if (history.pauses or history.inferred) and not self.is_as_sent:
            pauses = self._pauses([(one.as_sent_at, one.reopened_at) for one in history.closings])
        if due_at is None or self.start is None:
            return _line(received_at, due_phases(self.calendar, None, received_at, pauses))
        due = self._told(due_at)
        self.grounds[_AS_SENT] = Ground(due, ())
        if not pauses and len(line) == 1 and line[0].due is due:
            return line
        found = [Standing(received_at, paused=False, due=due)]
        for span in united(pauses, self.start) if pauses else ():
            if span.started_at <= due.on_time_until:
                found.append(Standing(span.started_at, paused=True, due=due))
                if span.ended_at is not None:
                    found.append(Standing(span.ended_at, paused=False, due=due))
        return tuple(found)

    def _extended(self, line: tuple[Standing, ...]) -> tuple[Standing, ...]:
        """Lay the first extension over the promise, if it was issued in time.

        Source: ND 61/2018, Điều 19.9 (once, with apology); the rule says one day before expiry.
        """
        for index, extension in enumerate(self.history.extensions):
            if index > 0:
                self.issues.add(Issue.SECOND_EXTENSION)
                break
            held = _held(line, extension.issued_at)
            if held is None:
                continue
            if extension.issued_at > held.on_time_until:
                self.issues.add(Issue.EXTENSION_TOO_LATE)
                continue
            if self.calendar.local_date(extension.issued_at) >= held.due_on:
                self.issues.add(Issue.NOTICE_LATE)
            new = self._told(extension.new_due_at)
            if new.on_time_until <= held.on_time_until:
                continue
            self._revise(held, new, "extension", None, extension.document, at=extension.issued_at)
            line = self._laid_over(line, extension, new)
        return line

    def _laid_over(
        self, line: tuple[Standing, ...], extension: ExtensionTold, new: Due
    ) -> tuple[Standing, ...]:
        """Hold the new date from the letter on; later pauses move it like a promise."""
        issued_at = max(extension.issued_at, line[0].at)
        before = [standing for standing in line if standing.at <= issued_at]
        paused = before[-1].paused
        found = [*before, Standing(issued_at, paused=paused, due=new)]
        own = self.grounds[Reading.EXTENDED]
        self.grounds[Reading.EXTENDED] = Ground(new, ())
        since = issued_at
        if paused:
            ends = next((s.at for s in line if s.at > issued_at and not s.paused), None)
            if ends is None:
                return tuple(found)
            due, since = _later(new, _held(line, ends)), ends
            found.append(Standing(ends, paused=False, due=due))
            if due is not new:
                self.grounds[Reading.EXTENDED] = own
        after = tuple(pause for pause in self.pauses if pause.started_at > since)
        later = [one for one in _line(issued_at, self._moved(new, after))[1:] if one.at > since]
        if later:
            self.grounds[Reading.EXTENDED] = Ground(new, after)
        return tuple(found + later)

    def _moved(self, new: Due, after: tuple[Pause, ...]) -> tuple[Phase, ...]:
        """Move the new date of a letter over the pauses that begin after it."""
        start = self.start or self.history.first_recorded_at
        try:
            return due_phases(self.calendar, self.limit, start, after, promised=new)
        except _NOT_COMPUTABLE:
            self.issues.add(Issue.DUE_NOT_COMPUTABLE)
            return due_phases(self.calendar, None, start, after)

    def _courses(self, standings: Mapping[Reading, tuple[Standing, ...]]) -> dict[Reading, Course]:
        """Return the course of each reading; those that stand alike are one."""
        line = standings[_PROMISED]
        course = self._course(line, by_as_sent=False)
        found = {_PROMISED: course}
        for reading in _OTHERS:
            own = standings[reading]
            by_as_sent = reading is _AS_SENT and not self.is_as_sent
            if not by_as_sent and (own is line or own == line):
                found[reading] = course
            else:
                found[reading] = self._course(own, by_as_sent=by_as_sent)
        return found

    def _course(self, standings: tuple[Standing, ...], *, by_as_sent: bool) -> Course:
        history = self.history
        return Course(
            history.stays,
            self.submitted_at,
            self.intake_due_at,
            self.unreceived,
            self.received_at,
            standings,
            history.closings,
            by_as_sent,
            history.voided_at,
        )

    def _unreceived(self) -> tuple[datetime, State] | None:
        history = self.history
        at = history.status_at
        if at is None:
            return None
        match history.facts.get("status"):
            case None | Status.SUBMITTED:
                return None
            case Status.REFUSED_AT_INTAKE:
                return history.facts.get("ended_at") or at, State.REFUSED_AT_INTAKE
            case Status.WITHDRAWN:
                return history.facts.get("ended_at") or at, State.WITHDRAWN
            case _:
                return at, State.RECEIPT_UNKNOWN

    # ---------------------------------------------------------------- things to look at

    def _notice(
        self,
        promised: Due | None,
        origin: str,
        standings: Mapping[Reading, tuple[Standing, ...]],
    ) -> None:
        self._notice_words()
        received_at = self.received_at
        if received_at is None:
            return
        if promised is None and (self.limit is None or self.limit.kind is not LimitKind.NONE):
            self.issues.add(Issue.NO_DUE)
        if len(self.pauses) > 1:
            supplements = [pause for pause in self.pauses if pause.kind is PauseKind.SUPPLEMENT]
            if len(supplements) > 1 and len(united(supplements, received_at)) > 1:
                self.issues.add(Issue.MORE_THAN_ONE_SUPPLEMENT)
        self._notice_ends(received_at)
        if origin == "told":
            self._notice_due(standings)

    def _notice_words(self) -> None:
        facts = self.facts
        channel = facts.get("channel")
        if channel is None or channel is _UNKNOWN:
            self.issues.add(Issue.UNKNOWN_CHANNEL)
        if self.terms.procedure is None:
            self.issues.add(Issue.UNKNOWN_PROCEDURE)
        if facts.get("parent") is not None and not self.terms.parent_known:
            self.issues.add(Issue.UNKNOWN_PARENT)
        unreceived = self.unreceived
        if unreceived is not None and unreceived[1] is State.RECEIPT_UNKNOWN:
            self.issues.add(Issue.RECEIPT_UNKNOWN)

    def _notice_ends(self, received_at: datetime) -> None:
        closings = self.history.closings
        if not closings and self.facts.get("status") in _ENDED:
            self.issues.add(Issue.FINISHED_WITHOUT_DATE)
        for closing in closings:
            if closing.ending is Ending.FINISHED and closing.at < received_at:
                self.issues.add(Issue.FINISH_BEFORE_RECEIPT)
            if closing.ending is Ending.FINISHED and closing.at == received_at:
                self.issues.add(Issue.ZERO_DURATION)

    def _notice_due(self, standings: Mapping[Reading, tuple[Standing, ...]]) -> None:
        promised = standings[_PROMISED]
        law = standings[_STATUTORY]
        told, computed = promised[0].due, law[0].due
        if told is not None and computed is not None and told.due_on != computed.due_on:
            self.issues.add(Issue.DUE_NOT_REPRODUCIBLE)
        sent = standings[_AS_SENT][0].due
        if sent is None or sent is told:
            return
        known = {
            standing.due.due_on
            for reading in (_PROMISED, _EXTENDED)
            for standing in standings[reading]
            if standing.due is not None
        }
        if sent.due_on not in known:
            self.issues.add(Issue.DUE_CHANGED_SILENTLY)
            self._revise(promised[-1].due, sent, "silent_change", self.history.last_recorded_at)


def intake_due(
    calendar: WorkCalendar, limit: TimeLimit, submitted_at: datetime, received_at: datetime | None
) -> datetime | None:
    """Return until when a dossier may wait to be taken in.

    None if it waited less than any such time, or when it needs a year of the calendar that is not
    loaded.
    """
    try:
        if limit.kind is _WORKING_HOURS and limit.duration is not None:
            if received_at is not None and received_at - submitted_at <= limit.duration:
                return None
            return calendar.add_working_time(submitted_at, limit.duration)
        due = compute_due(calendar, limit, submitted_at)
    except _NOT_COMPUTABLE:
        return None
    return None if due is None else due.on_time_until


def _alike(one: Due, other: Due | None) -> bool:
    return other is not None and one.due_on == other.due_on and one == other


def _line(received_at: datetime, phases: Sequence[Phase]) -> tuple[Standing, ...]:
    """Turn the due values after each pause into how the dossier stands from each instant on."""
    found = [Standing(received_at, paused=False, due=phases[0].due)]
    for phase in phases[1:]:
        span = phase.span
        if span is None:
            continue
        begins = max(span.started_at, received_at)
        found.append(Standing(begins, paused=True, due=found[-1].due))
        if span.ended_at is not None:
            found.append(Standing(span.ended_at, paused=False, due=phase.due))
    return tuple(found)


def _held(line: Sequence[Standing], at: datetime) -> Due | None:
    """Return the due value that holds at an instant."""
    held = line[0].due
    for standing in line:
        if standing.at <= at:
            held = standing.due
    return held


def _later(one: Due, other: Due | None) -> Due:
    return one if other is None or one.on_time_until >= other.on_time_until else other
