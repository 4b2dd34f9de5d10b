"""Change a calendar: first show who moves, then save it and tell each dossier that it moves.

Only open dossiers whose promise was computed move; promises that a sender told and finished
dossiers never do (``clock.md``, "Calendar change"). A storm closure entered afterwards takes the
same way.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NoReturn, TypeVar

from app.domain.deadline import Due
from app.domain.dossier import History, gather
from app.domain.reading import Clocked, Terms, read
from app.domain.record import MessageKind, Told
from app.domain.timeliness import Reading, State
from app.domain.verdict import classify
from app.store import access, dossiers, units
from app.store.dossiers import Key
from app.store.session import ReadSession, WriteSession
from app.usecases import ingest, terms
from app.usecases.calendars import CalendarPut
from app.usecases.ingest import Incoming, Sender
from app.usecases.terms import NOWHERE, Lexicon

T = TypeVar("T")
BATCH: Final = 1_000
Change = Callable[[WriteSession], CalendarPut]
"""What saves the new version of the calendar."""


@dataclass(frozen=True, slots=True)
class MovedDossier:
    """An open dossier whose due date the change moves, and whether that changes its state now."""

    source_id: int
    code: str
    unit: str
    old_due_at: datetime
    due_at: datetime
    old_due_on: date
    due_on: date
    old_state: State | None
    state: State | None

    @property
    def flips(self) -> bool:
        """Tell whether the dossier is in another state at once."""
        return self.old_state is not self.state


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would do: which open dossiers move, of how many that were looked at."""

    looked_at: int
    moved: tuple[MovedDossier, ...]

    @property
    def flips(self) -> int:
        """Count the dossiers that change their state at once."""
        return sum(one.flips for one in self.moved)


class _Undone(Exception):
    """Carries a preview out of the savepoint that is rolled back."""

    def __init__(self, preview: Preview) -> None:
        super().__init__()
        self.preview = preview


def preview(session: WriteSession, change: Change, *, now: datetime) -> Preview:
    """Return what a change of a calendar would do, and undo it.

    :raises Invalid: the calendar cannot work as told; the errors are those of ``change``.
    """
    try:
        with session.savepoint():
            _undo(_looked_at(session, change(session), now))
    except _Undone as undone:
        return undone.preview


def _undo(preview: Preview) -> NoReturn:
    raise _Undone(preview)


def apply(session: WriteSession, change: Change, *, now: datetime) -> tuple[CalendarPut, Preview]:
    """Save a change of a calendar and move the dossiers that it moves, each with a revision.

    :raises Invalid: the calendar cannot work as told; the errors are those of ``change``.
    """
    put = change(session)
    found = _looked_at(session, put, now)
    for source_id, moved in _by_source(found.moved).items():
        by = Sender(source_id, None, None, *access.WHOLE)
        for some in _batches(moved):
            ingest.accept(
                session,
                [_told(index, one, put, now) for index, one in enumerate(some)],
                by=by,
                door="calendar",
                now=now,
            )
    return put, found


def _told(index: int, one: MovedDossier, put: CalendarPut, now: datetime) -> Incoming:
    told = Told(
        due_at=one.due_at,
        old_due_at=one.old_due_at,
        reason=f"{put.row.id}@{put.row.version}",
        document=put.row.document,
    )
    return Incoming(index, one.code, MessageKind.CALENDAR_CHANGE, now, now, True, told)


def _looked_at(session: ReadSession, put: CalendarPut, now: datetime) -> Preview:
    """Look at the open dossiers of the units below the one whose calendar it is."""
    lft, rgt = access.WHOLE
    if put.row.unit_id is not None:
        unit = units.by_id(session, [put.row.unit_id])[put.row.unit_id]
        lft, rgt = unit.lft, unit.rgt
    keys = dossiers.open_computed(session, lft=lft, rgt=rgt)
    moved = [one for some in _batches(keys) for one in _moved(session, some, now)]
    return Preview(len(keys), tuple(moved))


def _moved(session: ReadSession, keys: Sequence[Key], now: datetime) -> Iterator[MovedDossier]:
    kept = dossiers.records(session, dossiers.locate(session, keys))
    lexicon = terms.lexicon_for_reading(
        session,
        terms.words_in(
            [(one.root, one.told) for one in record.messages] for record in kept.values()
        ),
    )
    for key, record in kept.items():
        history = gather(
            record.messages,
            lexicon.unit_ids,
            nowhere=lexicon.unit_ids.get((record.messages[0].root, NOWHERE)),
        )
        before = lexicon.terms(history, parent_known=True)
        after = lexicon.terms(history, parent_known=True, known_at=now)
        old, new = read(history, before), read(history, after)
        found = _difference(key, history, (before, old), (after, new), lexicon, now)
        if found is not None:
            yield found


def _difference(
    key: Key,
    history: History,
    before: tuple[Terms, Clocked],
    after: tuple[Terms, Clocked],
    lexicon: Lexicon,
    now: datetime,
) -> MovedDossier | None:
    old, new = _due(before[1]), _due(after[1])
    if old is None or new is None or old.on_time_until == new.on_time_until:
        return None
    states = [
        classify(history, terms, reading=Reading.PROMISED, as_of=now)
        for terms, _ in (before, after)
    ]
    promised = (before[1].promised or old, after[1].promised or new)
    return MovedDossier(
        source_id=key[0],
        code=key[1],
        unit=lexicon.by_id[history.stays[-1].unit].code,
        old_due_at=promised[0].due_at,
        due_at=promised[1].due_at,
        old_due_on=old.due_on,
        due_on=new.due_on,
        old_state=None if states[0] is None else states[0][0],
        state=None if states[1] is None else states[1][0],
    )


def _due(clocked: Clocked) -> Due | None:
    return clocked.due(Reading.PROMISED)


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _by_source(moved: Sequence[MovedDossier]) -> dict[int, list[MovedDossier]]:
    found: dict[int, list[MovedDossier]] = {}
    for one in moved:
        found.setdefault(one.source_id, []).append(one)
    return found
