"""Change a calendar or a limit: first show who moves, then save it and tell each dossier.

Only open dossiers whose promise was computed move; promises that a sender told and finished
dossiers never do (``clock.md``, "Calendar change"). A storm closure entered afterwards takes the
same way.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import Final, Generic, NoReturn, TypeVar

from app.domain.deadline import Due
from app.domain.dossier import History, Issue, gather
from app.domain.reading import Clocked, Terms, read
from app.domain.record import MessageKind, Told
from app.domain.sameness import Key
from app.domain.timeliness import Reading, State
from app.domain.verdict import classify
from app.store import access, dossiers, units
from app.store.session import ReadSession, WriteSession
from app.usecases import ingest, terms
from app.usecases.calendars import CalendarPut
from app.usecases.catalogue import ProcedurePut
from app.usecases.ingest import Incoming, Sender
from app.usecases.terms import NOWHERE, Lexicon

T = TypeVar("T")
BATCH: Final = 1_000
Put = TypeVar("Put")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a change saved: its name and version, its document, and whom it may concern.

    ``lft`` and ``rgt`` are the units below the calendar's; ``procedures`` None is every one.
    """

    reason: str
    document: str | None
    lft: int
    rgt: int
    procedures: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Change(Generic[Put]):
    """A change of rules: what saves it, and what was saved."""

    save: Callable[[WriteSession], Put]
    rules: Callable[[ReadSession, Put], Rules]


def of_calendar(save: Callable[[WriteSession], CalendarPut]) -> Change[CalendarPut]:
    """Return the change of a calendar: it concerns the units below the calendar's own."""

    def rules(session: ReadSession, put: CalendarPut) -> Rules:
        lft, rgt = access.WHOLE
        if put.row.unit_id is not None:
            unit = units.by_id(session, [put.row.unit_id])[put.row.unit_id]
            lft, rgt = unit.lft, unit.rgt
        return Rules(f"{put.row.id}@{put.row.version}", put.row.document, lft, rgt)

    return Change(save, rules)


def of_procedures(
    save: Callable[[WriteSession], tuple[ProcedurePut, ...]],
) -> Change[tuple[ProcedurePut, ...]]:
    """Return the change of procedures and their limits: it concerns their own dossiers."""

    def rules(_: ReadSession, put: tuple[ProcedurePut, ...]) -> Rules:
        changed = [one.row for one in put]
        reason = ", ".join(f"{row.code}@{row.revision}" for row in changed[:3])
        return Rules(reason, None, *access.WHOLE, frozenset(row.id for row in changed))

    return Change(save, rules)


@dataclass(frozen=True, slots=True)
class MovedDossier:
    """An open dossier whose due date the change moves, and whether that changes its state now.

    Without an old due date the change gives it its first one.
    """

    source_id: int
    code: str
    unit: str
    unit_lft: int
    old_due_at: datetime | None
    due_at: datetime
    old_due_on: date | None
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


def preview(session: WriteSession, change: Change[Put], *, now: datetime) -> Preview:
    """Return what a change would do, and undo it.

    :raises Invalid: the rules cannot work as told; the errors are those of the change.
    """
    try:
        with session.savepoint():
            _undo(_looked_at(session, change.rules(session, change.save(session)), now))
    except _Undone as undone:
        return undone.preview


def _undo(preview: Preview) -> NoReturn:
    raise _Undone(preview)


def apply(session: WriteSession, change: Change[Put], *, now: datetime) -> tuple[Put, Preview]:
    """Save a change and move the dossiers that it moves, each with a revision.

    Dossiers whose word for a procedure was not understood until now are folded again, as are those
    of a procedure whose online level changed, finished ones too: no judgement rests on it. Open
    ones with a told promise whose statutory date missed a year learn of it; their promise stays.

    :raises Invalid: the rules cannot work as told; the errors are those of the change.
    """
    put = change.save(session)
    rules = change.rules(session, put)
    found = _looked_at(session, rules, now)
    everybody = Sender(0, None, None, *access.WHOLE)
    told = [(one.source_id, one.code, _told(one, rules)) for one in found.moved]
    told += [(*key, _why(rules)) for key in _computable_now(session, rules, now)]
    for source_id, moved in groupby(sorted(told, key=_key), key=_source):
        by = replace(everybody, source_id=source_id)
        for some in _batches(list(moved)):
            news = [_news(index, code, facts, now) for index, (_, code, facts) in enumerate(some)]
            ingest.accept(session, news, by=by, door="rules", now=now)
    if rules.procedures:
        for keys in _batches(dossiers.not_understood(session, rules.procedures)):
            ingest.refold(session, keys, by=everybody, now=now)
        for keys in _batches(dossiers.of_other_level(session, rules.procedures)):
            ingest.refold(session, keys, by=everybody, now=now)
    return put, found


_News = tuple[int, str, Told]


def _key(one: _News) -> Key:
    return one[0], one[1]


def _source(one: _News) -> int:
    return one[0]


def _news(index: int, code: str, told: Told, now: datetime) -> Incoming:
    return Incoming(index, code, MessageKind.CALENDAR_CHANGE, now, now, True, told)


def _told(one: MovedDossier, rules: Rules) -> Told:
    told = _why(rules)
    told["due_at"] = one.due_at
    if one.old_due_at is not None:
        told["old_due_at"] = one.old_due_at
    return told


def _why(rules: Rules) -> Told:
    told = Told(reason=rules.reason)
    if rules.document is not None:
        told["document"] = rules.document
    return told


def _looked_at(session: ReadSession, rules: Rules, now: datetime) -> Preview:
    """Look at the open dossiers with a computed promise that the rules concern."""
    keys = dossiers.open_computed(
        session, lft=rules.lft, rgt=rules.rgt, procedures=rules.procedures
    )
    moved = [one for some in _batches(keys) for one in _moved(session, some, now)]
    return Preview(len(keys), tuple(moved))


def _computable_now(session: ReadSession, rules: Rules, now: datetime) -> Iterator[Key]:
    """Name the dossiers whose promise was told and whose statutory date can be computed now."""
    keys = dossiers.open_told_not_computable(
        session, lft=rules.lft, rgt=rules.rgt, procedures=rules.procedures
    )
    for some in _batches(keys):
        for one, _ in _reread(session, some, now):
            (_, old), (_, new) = one.before, one.after
            stays = _due(old) is None or _due(old) == _due(new)
            if stays and Issue.DUE_NOT_COMPUTABLE not in new.issues:
                yield one.key


@dataclass(frozen=True, slots=True)
class _Reread:
    """A dossier read under the rules that it knows, and under those of now."""

    key: Key
    history: History
    before: tuple[Terms, Clocked]
    after: tuple[Terms, Clocked]


def _moved(session: ReadSession, keys: Sequence[Key], now: datetime) -> Iterator[MovedDossier]:
    for one, lexicon in _reread(session, keys, now):
        found = _difference(one.key, one.history, one.before, one.after, lexicon, now)
        if found is not None:
            yield found


def _reread(
    session: ReadSession, keys: Sequence[Key], now: datetime
) -> Iterator[tuple[_Reread, Lexicon]]:
    told = dossiers.tellings(session, keys)
    lexicon = terms.lexicon_for_reading(
        session,
        terms.words_in([(one.root, one.told) for one in messages] for messages in told.values()),
    )
    for key, messages in told.items():
        history = gather(
            messages,
            lexicon.unit_ids,
            nowhere=lexicon.unit_ids.get((messages[0].root, NOWHERE)),
            heirs=lexicon.heirs,
        )
        before = lexicon.terms(history, parent_known=True)
        after = lexicon.terms(history, parent_known=True, known_at=now)
        old, new = read(history, before), read(history, after)
        yield _Reread(key, history, (before, old), (after, new)), lexicon


def _difference(
    key: Key,
    history: History,
    before: tuple[Terms, Clocked],
    after: tuple[Terms, Clocked],
    lexicon: Lexicon,
    now: datetime,
) -> MovedDossier | None:
    old, new = _due(before[1]), _due(after[1])
    if new is None or (old is not None and old.on_time_until == new.on_time_until):
        return None
    states = [
        classify(history, terms, reading=Reading.PROMISED, as_of=now)
        for terms, _ in (before, after)
    ]
    place = lexicon.by_id[history.stays[-1].unit]
    was, becomes = before[1].promised, after[1].promised or new
    return MovedDossier(
        source_id=key[0],
        code=key[1],
        unit=place.code,
        unit_lft=place.lft,
        old_due_at=None if was is None else was.due_at,
        due_at=becomes.due_at,
        old_due_on=None if old is None else old.due_on,
        due_on=new.due_on,
        old_state=None if states[0] is None else states[0][0],
        state=None if states[1] is None else states[1][0],
    )


def _due(clocked: Clocked) -> Due | None:
    return clocked.due(Reading.PROMISED)


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
