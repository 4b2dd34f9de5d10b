"""Take in what senders tell: keep it for ever, fold it, judge each record on its own.

One batch is one transaction. A record that cannot be true is quarantined with its reasons and the
good records beside it are kept; older news is kept as stale and never overwrites newer; what was
told before is unchanged. Two writers of one dossier settle by its version (``store.dossiers``).
"""

import contextlib
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from app.domain import quality
from app.domain.authority import Span, may_tell
from app.domain.canonical import digest_of
from app.domain.deadline import Due
from app.domain.dossier import History, Issue, gather, in_order
from app.domain.edges import Edge
from app.domain.faults import Fault
from app.domain.pauses import Pause, PauseKind
from app.domain.reading import Clocked, read
from app.domain.record import Channel, Message, MessageKind, Told
from app.domain.sameness import Key, Kinship, words_of
from app.domain.timeliness import FINISHES, Reading
from app.domain.values import immutable
from app.feeds.reading import canonical_bytes
from app.i18n import ZONE
from app.store import access, dossiers, freshness, quarantine, stamps, units
from app.store.dossiers import Claim, Kept, Located, Standing
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases import sameness, terms
from app.usecases.sameness import Near
from app.usecases.terms import NOWHERE, Lexicon

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RECORD: Final = MessageKind.RECORD
_CALENDAR_CHANGE: Final = MessageKind.CALENDAR_CHANGE

ROUNDS = 8
"""Who lost a race locks what it found, looks again and wins; only a dossier that turned up in
between, told to be the same as one of the batch, costs another round."""


class VerdictWord(StrEnum):
    """What became of one record."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    STALE = "stale"
    QUARANTINED = "quarantined"


_ACCEPTED: Final = VerdictWord.ACCEPTED
_UNCHANGED: Final = VerdictWord.UNCHANGED
_STALE: Final = VerdictWord.STALE
# Members by a name of the module: to ask an enumeration for one takes ten times as long.


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: a source system with a key for a part of the unit tree.

    ``over`` is the part for which it may speak when that is not the part of its words.
    """

    source_id: int
    key_id: int | None
    unit_id: int | None
    lft: int
    rgt: int
    over: Span | None = None

    @property
    def span(self) -> Span:
        """Return the part of the tree for which it speaks."""
        return self.over or Span(self.lft, self.rgt)


@immutable
class Incoming:
    """One record or event, decoded; ``index`` is its place in the batch.

    ``strip`` gives what may be kept of it if it is refused; without it nothing is kept.
    """

    index: int
    code: str
    kind: MessageKind
    at: datetime
    source_updated_at: datetime
    stamped: bool
    told: Told
    strip: Callable[[], Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One record that cannot be accepted: what is left of it without persons, and why."""

    index: int
    code: str | None
    raw: Mapping[str, Any]
    faults: tuple[Fault, ...]


@immutable
class Verdict:
    """What became of one record of a batch; ``is_new`` tells a first sight from an update."""

    index: int
    code: str | None
    word: VerdictWord
    faults: tuple[Fault, ...] = ()
    is_new: bool = False
    quarantine_id: uuid.UUID | None = None


@immutable
class _News:
    """A message not heard before, with its canonical text; ``stale`` if newer news is known."""

    message: Message
    text: bytes
    stale: bool


@immutable
class _Next:
    """The next version of one dossier, computed and not yet claimed."""

    key: Key
    place: Located
    fresh: tuple[_News, ...]
    verdicts: tuple[Verdict, ...]
    first_seq: int

    def others_named(self, kept: Mapping[Key, Kept]) -> bool:
        """Tell whether another number was ever told of the dossier."""
        for news in self.fresh:
            if "other_codes" in news.message.told:
                return True
        record = kept.get(self.key)
        return record is not None and any("other_codes" in one.told for one in record.messages)


class VersionRace(RuntimeError):
    """A dossier could not be settled in the rounds that always suffice: a bug."""


class _Lost(Exception):
    """Another writer changed a dossier after it was read."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of the dossiers of a batch and of those around them, read together."""

    located: Mapping[Key, Located]
    kept: Mapping[Key, Kept]
    near: Near
    lexicon: Lexicon
    legs: Mapping[Key, Key]
    """Legs that wait for their parent, each with it."""
    places: Mapping[Key, Sequence[int]]
    """The units at which a dossier stands that is known."""


def accept(
    session: WriteSession,
    records: Sequence[Incoming | Unreadable],
    *,
    by: Sender,
    door: str,
    now: datetime,
) -> list[Verdict]:
    """Accept a batch and return a verdict for each record, in their order.

    Everything is kept in the caller's transaction: all verdicts hold once it commits.

    :raises StorageUnavailable: the database cannot serve; nothing of the batch was kept.
    """
    unreadable = [one for one in records if isinstance(one, Unreadable)]
    readable = [one for one in records if isinstance(one, Incoming)]
    verdicts = _quarantined(session, unreadable, by=by, door=door, now=now)
    if readable:
        dossiers.expect_keys(session)
        found = _Batch(session, by, now).accepted(readable)
        verdicts += _kept_back(session, readable, found, by=by, door=door, now=now)
    return sorted(verdicts, key=lambda verdict: verdict.index)


def _quarantined(
    session: WriteSession,
    unreadable: Sequence[Unreadable],
    *,
    by: Sender,
    door: str,
    now: datetime,
) -> list[Verdict]:
    entries = [
        quarantine.Entry(
            id=uuid.uuid4(),
            unit_id=by.unit_id or 0,
            unit_lft=by.lft,
            source_id=by.source_id,
            key_id=by.key_id,
            door=door,
            code=one.code,
            raw=one.raw,
            faults=one.faults,
            recorded_at=now,
        )
        for one in unreadable
    ]
    quarantine.add(session, entries)
    return [
        Verdict(one.index, one.code, VerdictWord.QUARANTINED, one.faults, quarantine_id=entry.id)
        for one, entry in zip(unreadable, entries, strict=True)
    ]


def _kept_back(
    session: WriteSession,
    readable: Sequence[Incoming],
    found: Sequence[Verdict],
    *,
    by: Sender,
    door: str,
    now: datetime,
) -> list[Verdict]:
    """Put into quarantine what could be read and may not be told by this sender."""
    sent = {one.index: one for one in readable}
    refused = [
        Unreadable(one.index, one.code, strip(), one.faults)
        for one in found
        if one.word is VerdictWord.QUARANTINED and (strip := sent[one.index].strip) is not None
    ]
    if not refused:
        return list(found)
    kept = {one.index: one for one in _quarantined(session, refused, by=by, door=door, now=now)}
    return [kept.get(one.index, one) for one in found]


def folded_rows(
    session: ReadSession, keys: Sequence[Key]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows that the record of some dossiers gives, without storing them."""
    located = dossiers.locate(session, keys)
    kept = dossiers.records(session, located)
    near = sameness.near_for_reading(session, _words_of(kept))
    told = {key: one.messages for key, one in (kept | dict(near.kept)).items()}
    lexicon = terms.lexicon_for_reading(
        session,
        terms.words_in([(one.root, one.told) for one in messages] for messages in told.values()),
    )
    places = located | dict(near.located)
    rows: list[dict[str, Any]] = []
    readings: list[dict[str, Any]] = []
    homes = {key: at.home_unit_id for key, at in places.items()}
    for one in _fold(session, told, lexicon, homes=homes):
        if one.key in kept:
            rows += one.rows(lexicon, version=located[one.key].version, now=EPOCH)
            readings += one.readings()
    return rows, readings


def not_found_by_number(session: ReadSession, keys: Sequence[Key]) -> set[Key]:
    """Return the dossiers that are not found by each number under which they were told."""
    kept = dossiers.records(session, dossiers.locate(session, keys))
    return sameness.not_entered(session, _words_of(kept))


def _words_of(kept: Mapping[Key, Kept]) -> dict[Key, frozenset[str]]:
    return {
        key: words_of(key, [one.told for one in record.messages]) for key, record in kept.items()
    }


def refold(session: WriteSession, keys: Iterable[Key], *, by: Sender, now: datetime) -> int:
    """Fold dossiers again from their record, for rules or mappings that changed; count them."""
    wanted: dict[Key, list[Incoming]] = {key: [] for key in keys}
    _Batch(session, by, now).settled(wanted)
    return len(wanted)


class _Batch:
    """The work on one batch: read, fold, claim by version, write for those who won."""

    def __init__(self, session: WriteSession, by: Sender, now: datetime) -> None:
        self.session = session
        self.by = by
        self.root = by.unit_id or 0
        self.now = now
        self.heard: set[int] = set()

    def accepted(self, readable: Sequence[Incoming]) -> list[Verdict]:
        """Settle all dossiers of the batch, with the legs that found their parent."""
        wanted: dict[Key, list[Incoming]] = {}
        for one in readable:
            wanted.setdefault((self.by.source_id, one.code), []).append(one)
        verdicts = self.settled(wanted)
        # last of all: whoever holds these rows waits for nobody any more
        freshness.hear(
            self.session,
            self.by.source_id,
            self.heard,
            on=self.now.astimezone(ZONE).date(),
        )
        return verdicts

    def settled(self, wanted: Mapping[Key, Sequence[Incoming]]) -> list[Verdict]:
        """Settle dossiers, all again when another writer changed one of them meanwhile.

        Who lost lets go of every lock before it looks again: locks are taken in one order within
        a round, and a second round on top of a first would break that order.

        :raises VersionRace: it lost more often than can be.
        """
        for number in range(ROUNDS):
            with contextlib.suppress(_Lost), self.session.savepoint():
                return self._round(wanted, is_again=number > 0)
        raise VersionRace(f"{len(wanted)} dossiers")

    def _seen(self, wanted: Mapping[Key, Sequence[Incoming]]) -> "_Seen":
        """Look up what is known of some dossiers and of those around them."""
        stamp = stamps.of_catalogue(self.session)
        located = dossiers.locate(self.session, wanted)
        looked, kept = None, {}
        places: Mapping[Key, Sequence[int]] = {}
        if located:
            told = self._numbers({key: wanted[key] for key in located}, {})
            looked = sameness.Looked.up(self.session, told)
            standing = dossiers.places(self.session, located)
            kept = dossiers.records(self.session, located)
            places = standing.get()
        entered = sameness.enter(
            self.session,
            self._numbers(wanted, kept),
            known=located,
            parents=self._parents(wanted),
            looked=looked,
        )
        new = wanted.keys() - located.keys()
        legs = dossiers.legs_of(self.session, new) if new else None
        near = entered.near(self.session)
        words = self._words(wanted, kept | dict(near.kept))
        lexicon = terms.lexicon(self.session, words, now=self.now, stamp=stamp)
        return _Seen(located, kept, near, lexicon, legs.get() if legs else {}, places)

    def _round(self, wanted: Mapping[Key, Sequence[Incoming]], *, is_again: bool) -> list[Verdict]:
        """Settle dossiers, or nothing of them.

        :raises _Lost: another writer changed one of them after it was read.
        """
        seen = self._seen(wanted)
        if is_again:
            dossiers.lock(self.session, {*seen.located, *seen.near.located})
            seen = self._seen(wanted)
        lexicon, known = seen.lexicon, {**seen.kept, **seen.near.kept}
        rights = _Rights.of(self.session, self.by, seen.located.values(), lexicon)
        planned = [
            self._planned(key, incoming, seen.located.get(key), seen.kept.get(key), lexicon, rights)
            for key, incoming in wanted.items()
        ]
        writing = [one for one in planned if self._writes(one, wanted)]
        legs = self._legs(writing, seen) - wanted.keys()
        if legs:
            return self._round({**wanted, **dict.fromkeys(legs, ())}, is_again=is_again)
        beside = self._beside(wanted, writing, seen)
        told = {one.key: _messages(one, known.get(one.key)) for one in (*writing, *beside)}
        folded = self._folded((*writing, *beside), told, lexicon)
        quiet = {one.key for one in beside}
        moved = {one.key: one for one in self._moved(writing, beside, folded)}
        claims = [
            Claim(
                *one.key,
                one.place.home_unit_id,
                folded[one.key].holder,
                one.place.version,
                writes=one.key not in quiet or one.key in moved,
            )
            for one in (*writing, *beside)
        ]
        if not claims:
            return [verdict for one in planned for verdict in one.verdicts]
        changing = [*writing, *moved.values()]
        replaced = self._replaced(changing, seen)
        claimed = dossiers.claim(self.session, claims)
        self._write(changing, folded, replaced=replaced)
        if len(claimed.won()) < len(claims):
            raise _Lost
        return [verdict for one in planned for verdict in one.verdicts]

    def _folded(
        self, nexts: Sequence[_Next], told: Mapping[Key, Sequence[Message]], lexicon: Lexicon
    ) -> dict[Key, "_Projected"]:
        """Fold dossiers one after the other, and keep of each no more than what is written."""
        versions = {one.key: one.place.version for one in nexts}
        homes = {one.key: one.place.home_unit_id for one in nexts}
        now = self.now
        return {
            one.key: _Projected(
                one.holder,
                one.kinship.line,
                one.standing,
                one.rows(lexicon, version=versions[one.key] + 1, now=now),
                one.readings(),
            )
            for one in _fold(self.session, told, lexicon, homes=homes)
        }

    def _legs(self, writing: Sequence[_Next], seen: _Seen) -> set[Key]:
        """Return the legs that wait for one of the dossiers that are new."""
        if not seen.legs:
            return set()
        new = {one.key for one in writing if one.place.version == 0}
        return {leg for leg, parent in seen.legs.items() if parent in new}

    def _parents(self, wanted: Mapping[Key, Sequence[Incoming]]) -> set[Key]:
        """Return the dossiers that are told to be a parent of others."""
        return {
            (key[0], parent)
            for key, incoming in wanted.items()
            for one in incoming
            if (parent := one.told.get("parent")) is not None
        }

    def _numbers(
        self, wanted: Mapping[Key, Sequence[Incoming]], kept: Mapping[Key, Kept]
    ) -> dict[Key, frozenset[str]]:
        """Return every number under which each dossier was told, with the news."""
        return {
            key: words_of(
                key,
                [
                    *[one.told for one in (kept[key].messages if key in kept else ())],
                    *[one.told for one in incoming],
                ],
            )
            for key, incoming in wanted.items()
        }

    def _beside(
        self, wanted: Mapping[Key, Sequence[Incoming]], writing: Sequence[_Next], seen: "_Seen"
    ) -> list[_Next]:
        """Return the dossiers without news that may be the same as one that has some."""
        if not writing:
            return []
        places, records = dict(seen.near.located), dict(seen.near.kept)
        if records or any(one.others_named(seen.kept) for one in writing):
            quiet = wanted.keys() - {one.key for one in writing}
            places |= {key: seen.located[key] for key in quiet}
            records |= {key: seen.kept[key] for key in quiet}
        return [
            _Next(key, places[key], (), (), record.last_seq + 1) for key, record in records.items()
        ]

    def _moved(
        self, writing: Sequence[_Next], beside: Sequence[_Next], folded: Mapping[Key, "_Projected"]
    ) -> list[_Next]:
        """Return the dossiers without news that follow from those that have some."""
        if not beside:
            return []
        news = {one.key for one in writing}
        stored = dossiers.standings(self.session, [one.key for one in beside])
        return [
            one
            for one in beside
            if not news.isdisjoint(folded[one.key].line)
            or folded[one.key].standing != stored.get(one.key)
        ]

    @staticmethod
    def _writes(one: _Next, wanted: Mapping[Key, Sequence[Incoming]]) -> bool:
        """Tell whether a dossier gets a new version: it heard news, or is folded again."""
        return bool(one.fresh) or not wanted[one.key]

    def _words(
        self, wanted: Mapping[Key, Sequence[Incoming]], kept: Mapping[Key, Kept]
    ) -> terms.Words:
        told = {key: [(self.root, one.told) for one in found] for key, found in wanted.items()}
        for key, record in kept.items():
            told[key] = [(one.root, one.told) for one in record.messages] + told.get(key, [])
        return terms.words_in(told.values())

    def _planned(
        self,
        key: Key,
        incoming: Sequence[Incoming],
        place: Located | None,
        record: Kept | None,
        lexicon: Lexicon,
        rights: "_Rights",
    ) -> _Next:
        """Tell news from what is known, message by message, in the order of the batch."""
        messages = list(record.messages) if record else []
        fresh: list[_News] = []
        verdicts = []
        for told in incoming:
            one = rights.entitled(told, place) if told.told.get("approved") else told
            text = canonical_bytes(one.told)
            message = self._message(one, text)
            word = _compared(message, messages) if messages else _ACCEPTED
            faults = () if word is _UNCHANGED else rights.faults(one, place, messages)
            if faults:
                verdicts.append(Verdict(one.index, one.code, VerdictWord.QUARANTINED, faults))
                continue
            is_new = place is None and not messages
            verdicts.append(Verdict(one.index, one.code, word, (), is_new))
            if word is not _UNCHANGED:
                messages.append(message)
                fresh.append(_News(message, text, word is _STALE))
        if place is None:
            home = lexicon.unit_ids[self.root, _first_unit(messages)]
            place = Located(home, home, 0)
        if any(one.kind is not _CALENDAR_CHANGE for one in incoming):
            self.heard.add(place.home_unit_id)
        last = record.last_seq if record else 0
        return _Next(key, place, tuple(fresh), tuple(verdicts), last + 1)

    def _message(self, one: Incoming, text: bytes) -> Message:
        kind = one.kind
        return Message(
            kind,
            one.at,
            one.source_updated_at,
            digest_of(kind, text, at=None if kind is _RECORD else one.at),
            self.now,
            one.told,
            one.stamped,
            self.root,
        )

    def _replaced(self, changing: Sequence[_Next], seen: _Seen) -> list[tuple[int, int, str]]:
        """Return the (unit, source, code) under which dossiers that change stood so far."""
        known = [one.key for one in changing if one.place.version > 0]
        away = [key for key in known if key not in seen.places]
        beside = dossiers.places(self.session, away).get() if away else {}
        before = {**seen.places, **beside}
        return [(unit, *key) for key in known for unit in before.get(key, ())]

    def _write(
        self,
        winners: Sequence[_Next],
        folded: Mapping[Key, "_Projected"],
        *,
        replaced: Sequence[tuple[int, int, str]],
    ) -> None:
        dossiers.append(
            self.session,
            [
                {
                    "unit_id": one.place.home_unit_id,
                    "source_id": one.key[0],
                    "code": one.key[1],
                    "seq": seq,
                    "kind": news.message.kind,
                    "at": news.message.at,
                    "source_updated_at": news.message.source_updated_at,
                    "stamped": news.message.stamped,
                    "digest": news.message.digest,
                    "stale": news.stale,
                    "told": news.text,
                    "key_id": self.by.key_id,
                    "root_unit_id": news.message.root,
                    "recorded_at": self.now,
                }
                for one in winners
                for seq, news in enumerate(one.fresh, one.first_seq)
            ],
        )
        rows: list[dict[str, Any]] = []
        readings: list[dict[str, Any]] = []
        for one in winners:
            rows += folded[one.key].rows
            readings += folded[one.key].readings
        dossiers.put(
            self.session,
            rows=rows,
            readings=readings,
            replaced=replaced,
            now=self.now,
        )


@dataclass(frozen=True, slots=True)
class _Rights:
    """What a sender may tell of the dossiers of a batch, by the units that hold them."""

    root: int
    span: Span
    is_whole: bool
    units: Mapping[int, UnitRow]
    lexicon: Lexicon

    @classmethod
    def of(
        cls, session: ReadSession, by: Sender, places: Iterable[Located], lexicon: Lexicon
    ) -> "_Rights":
        """Return the rights of a sender; nothing is looked up for one that speaks for all."""
        is_whole = by.span == Span(*access.WHOLE)
        held = set() if is_whole else {one.unit_id for one in places}
        away = held - lexicon.by_id.keys()
        found = units.by_id(session, away) if away else {}
        return cls(by.unit_id or 0, by.span, is_whole, found, lexicon)

    def entitled(self, one: Incoming, place: Located | None) -> Incoming:
        """Return a message with its approval only if it comes from above the dossier's unit."""
        if one.told.get("approved") and not self._is_above(place):
            return replace(one, told=Told(**{**one.told, "approved": False}))
        return one

    def faults(
        self, one: Incoming, place: Located | None, messages: Sequence[Message]
    ) -> tuple[Fault, ...]:
        """Return why a message may not be told by this sender, nothing if it may."""
        if place is None or self.is_whole:
            return ()
        if one.kind is MessageKind.VOID and not self._is_above(place):
            return (Fault("/kind", "event.superiors_only"),)
        if self._speaks_for(place.unit_id) or self._may_tell(one, messages):
            return ()
        return (Fault("", "dossier.held_elsewhere"),)

    def _may_tell(self, one: Incoming, messages: Sequence[Message]) -> bool:
        history = gather(
            messages,
            self.lexicon.unit_ids,
            nowhere=self.lexicon.unit_ids.get((messages[0].root, NOWHERE)),
            heirs=self.lexicon.heirs,
        )
        to = one.told.get("unit") if one.kind is MessageKind.TRANSFER else None
        return may_tell(
            history.stays,
            one.source_updated_at if one.kind is MessageKind.RECORD else one.at,
            entitled=self._speaks_for,
            taken_over_by=None if to is None else self.lexicon.unit_ids[self.root, to],
        )

    def _is_above(self, place: Located | None) -> bool:
        row = None if place is None else self._row(place.unit_id)
        return self.is_whole or row is None or self.span.is_above(Span(row.lft, row.rgt))

    def _speaks_for(self, unit: int) -> bool:
        row = self._row(unit)
        return row is None or row.is_bucket or self.span.covers(Span(row.lft, row.rgt))

    def _row(self, unit: int) -> UnitRow | None:
        return self.units.get(unit) or self.lexicon.by_id.get(unit)


def _messages(one: _Next, record: Kept | None) -> list[Message]:
    fresh = [news.message for news in one.fresh]
    return [*record.messages, *fresh] if record else fresh


def _first_unit(messages: Sequence[Message]) -> str:
    """Return the word for the unit that the oldest news names."""
    for message in messages if len(messages) == 1 else in_order(messages):
        unit = message.told.get("unit")
        if unit:
            return unit
    return NOWHERE


def _compared(message: Message, known: Sequence[Message]) -> VerdictWord:
    """Tell whether a message is news, older news, or what was told before.

    A snapshot without a stamp is unchanged only if it equals the last one: a sender may come back
    to an earlier state without a new date.
    """
    peers = [one for one in known if one.kind is message.kind]
    if message.stamped:
        same = any(
            one.digest == message.digest and one.source_updated_at == message.source_updated_at
            for one in peers
        )
    else:
        same = bool(peers) and peers[-1].digest == message.digest
    if same:
        return VerdictWord.UNCHANGED
    if message.kind is not MessageKind.RECORD:
        return VerdictWord.ACCEPTED
    newest = max(peers, key=lambda one: one.order, default=None)
    if newest is None:
        return VerdictWord.ACCEPTED
    if message.stamped and newest.stamped:
        is_older = message.order < newest.order
    else:
        is_older = message.source_updated_at < newest.source_updated_at
    return VerdictWord.STALE if is_older else VerdictWord.ACCEPTED


@immutable
class _Projected:
    """What a batch keeps of a dossier that was folded: ``line`` are its numbers, newest first."""

    holder: int
    line: tuple[Key, ...]
    standing: Standing
    rows: list[dict[str, Any]]
    readings: list[dict[str, Any]]


@immutable
class _Folded:
    """What follows from all messages of one dossier, ready to be stored."""

    key: Key
    home_unit_id: int
    history: History
    clocked: Clocked
    edges: Mapping[Reading, tuple[Edge, ...]]
    found: frozenset[Issue]

    kinship: Kinship
    counts: bool

    @property
    def holder(self) -> int:
        """Return the unit that holds the dossier after all that was told."""
        return self.history.stays[-1].unit

    def rows(self, lexicon: Lexicon, *, version: int, now: datetime) -> list[dict[str, Any]]:
        """Return one row for each unit at which the dossier stayed; what is null is left out."""
        common = self._common(lexicon, version=version, now=now)
        is_newest = self.key == self.kinship.line[0]
        holder = self.holder
        found: list[dict[str, Any]] = []
        for unit, edges in self._by_unit(_PROMISED).items():
            is_here = unit == holder and is_newest
            row = common if not found else common.copy()
            row |= _edge_columns(edges, self.clocked)
            row["unit_id"] = unit
            row["unit_lft"] = lexicon.by_id[unit].lft
            row["is_current"] = is_here
            row["is_open"] = is_here and bool(edges) and edges[-1].state.in_hand
            found.append(row)
        return found

    def readings(self) -> list[dict[str, Any]]:
        """Return the other readings where they differ from the promised one."""
        clocked = self.clocked
        courses = clocked.courses
        course = courses[_PROMISED]
        promised: Mapping[int, Sequence[Edge]] = {}
        found: list[dict[str, Any]] = []
        for reading in _OTHERS:
            if courses[reading] is course:
                continue
            due, held = clocked.due(reading), clocked.due(_PROMISED)
            is_due_alike = due is held or due == held
            promised = promised or self._by_unit(_PROMISED)
            for unit, edges in self._by_unit(reading).items():
                if is_due_alike and edges == promised.get(unit):
                    continue
                row = {
                    "unit_id": unit,
                    "source_id": self.key[0],
                    "code": self.key[1],
                    "reading": reading,
                }
                row |= _due_columns(due)
                row |= _edge_columns(edges, clocked)
                found.append(row)
        return found

    def _by_unit(self, reading: Reading) -> dict[int, Sequence[Edge]]:
        line, stays = self.edges[reading], self.history.stays
        if len(stays) == 1:
            return {stays[0].unit: line}
        found: dict[int, list[Edge]] = {stay.unit: [] for stay in stays}
        for edge in line:
            found[edge.unit].append(edge)
        return {unit: tuple(edges) for unit, edges in found.items()}

    @property
    def same_as(self) -> tuple[tuple[int, str, str], ...]:
        """Return the other dossiers that are this one, or may be, and how."""
        if self.kinship.is_alone:
            return ()
        return tuple(
            (*other, relation.value) for other, relation in self.kinship.relations(self.key)
        )

    @property
    def standing(self) -> Standing:
        """Return whether the dossier is in the figures, and what is the same."""
        return Standing(self.counts and not self.clocked.is_leg, self.same_as)

    def _other_codes(self) -> list[str]:
        named = set(self.history.facts.get("other_codes") or ())
        if not named and self.kinship.is_alone:
            return []
        return sorted(named.union(code for _, code in self.kinship.line) - {self.key[1]})

    def _kindred(self) -> set[Issue]:
        found = set()
        if len(self.kinship.lines) > 1:
            found.add(Issue.SAME_FROM_TWO_SOURCES)
        if len(self.kinship.line) > 1:
            found.add(Issue.RENUMBERED)
        if self.kinship.unclear:
            found.add(Issue.NUMBER_UNCLEAR)
        return found

    def _issues(self, lexicon: Lexicon) -> list[str]:
        """Return everything that is worth a look, in order."""
        facts, history = self.history.facts, self.history
        issues = set(self.clocked.issues | self.found)
        if lexicon.by_id[self.holder].is_bucket:
            issues.add(Issue.UNKNOWN_UNIT)
        if lexicon.by_name and (history.root, facts.get("unit", NOWHERE)) in lexicon.by_name:
            issues.add(Issue.UNIT_BY_NAME)
        if not self.kinship.is_alone:
            issues |= self._kindred()
        return sorted(issues)

    def _common(self, lexicon: Lexicon, *, version: int, now: datetime) -> dict[str, Any]:
        history, clocked = self.history, self.clocked
        facts = history.facts
        procedure = lexicon.procedure_of(history)
        limit = clocked.limit
        due = clocked.due(_PROMISED)
        is_leg = clocked.is_leg
        row: dict[str, Any] = {
            name: told for name, told in facts.items() if name in _AS_TOLD and told is not None
        }
        row["source_id"], row["code"] = self.key
        row |= {
            "home_unit_id": self.home_unit_id,
            "version": version,
            "recorded_at": now,
            "first_recorded_at": history.first_recorded_at,
            "source_updated_at": history.source_updated_at,
            "is_leg": is_leg,
            "is_counted": self.counts and not is_leg,
            "same_as": self.same_as,
            "procedure_id": None if procedure is None else procedure.id,
            "procedure_told": facts.get("procedure"),
            "unit_told": facts.get("unit"),
            "channel": facts.get("channel") or _UNKNOWN_CHANNEL,
            "applicant_type": facts.get("applicant_type") or "unknown",
            "other_codes": self._other_codes(),
            "clock_start_at": clocked.start,
            "place_independent": bool(facts.get("place_independent")),
            "limit_kind": None if limit is None else limit.kind,
            "online_level": None if procedure is None else procedure.online_level,
            "due_origin": clocked.due_origin,
            "is_provisional": due is not None and due.provisional,
            "apology_at": history.apology_at,
            "apology_exempt": history.apology_exempt,
            "issues": self._issues(lexicon),
            "overlong_at": quality.overlong_at(clocked) if clocked.pauses else None,
            "supplement_at": _supplements(clocked.pauses) if clocked.pauses else (),
        }
        row |= _due_columns(due)
        return row


def _supplements(pauses: Iterable[Pause]) -> list[datetime]:
    return sorted([one.started_at for one in pauses if one.kind is PauseKind.SUPPLEMENT])


_PROMISED: Final = Reading.PROMISED
_OTHERS: Final = (Reading.EXTENDED, Reading.AS_SENT, Reading.STATUTORY)
_UNKNOWN_CHANNEL: Final = Channel.UNKNOWN
_AS_TOLD = frozenset(
    {
        *("case", "applicant_hash", "parent", "leg", "official", "status", "outcome"),
        *("submitted_at", "received_at", "finished_at", "ended_at", "returned_at"),
        *("return_method", "paid_online", "digitised", "contacts", "bodies_contacted"),
        "founded_complaints",
    }
)
"""Facts that stand in the row as they were told last."""


def _fold(
    session: ReadSession,
    told: Mapping[Key, Sequence[Message]],
    lexicon: Lexicon,
    *,
    homes: Mapping[Key, int],
) -> Iterator[_Folded]:
    """Fold dossiers from their messages; those that share numbers must all be among them.

    Each is folded when it is asked for, so that what it took is free again before the next.
    """
    has_others, parents = _links(session, told)
    is_shared = has_others or len({code for _, code in told}) < len(told)
    if not is_shared:
        for key in told:
            history, clocked, issues = _line((key,), told, lexicon, parents)
            alone, counts = sameness.alone(key), True
            edges = _edges(clocked)
            yield _Folded(key, homes[key], history, clocked, edges, issues, alone, counts)
        return
    kin = sameness.kinships(session, told, lexicon)
    lines: dict[Key, tuple[History, Clocked, frozenset[Issue]]] = {}
    for key in told:
        line = kin[key].line
        if line[0] not in lines:
            lines[line[0]] = _line(line, told, lexicon, parents)
    histories = {key: history for key, (history, _, _) in lines.items()}
    counted = _counted(session, kin.values(), histories, lexicon)
    for key in told:
        history, clocked, issues = lines[kin[key].line[0]]
        yield _Folded(
            key=key,
            home_unit_id=homes[key],
            history=history,
            clocked=clocked,
            edges=_edges(clocked),
            found=issues,
            kinship=kin[key],
            counts=key in counted,
        )


def _line(
    line: Sequence[Key],
    told: Mapping[Key, Sequence[Message]],
    lexicon: Lexicon,
    parents: Collection[Key],
) -> tuple[History, Clocked, frozenset[Issue]]:
    """Read one dossier of one source under all its numbers, the newest first."""
    source, code = line[0]
    messages = told[line[0]] if len(line) == 1 else sameness.in_line(line, told)
    unit_ids = lexicon.unit_ids
    nowhere = unit_ids.get((messages[0].root, NOWHERE))
    history = gather(messages, unit_ids, nowhere=nowhere, heirs=lexicon.heirs)
    parent = history.facts.get("parent")
    is_known = parent is not None and (source, parent) in parents
    clocked = read(history, lexicon.terms(history, parent_known=is_known))
    return history, clocked, quality.find(code, messages, clocked)


def _counted(
    session: ReadSession,
    kin: Collection[Kinship],
    histories: Mapping[Key, History],
    lexicon: Lexicon,
) -> set[Key]:
    """Return the dossiers that count, one of those that are the same."""
    if not kin:
        return set()
    precedence = sameness.Precedence.of(session) if any(len(one.lines) > 1 for one in kin) else None
    if precedence is None:
        return {one.line[0] for one in kin}
    lft_of = {key: lexicon.by_id[one.stays[-1].unit].lft for key, one in histories.items()}
    return {sameness.counting(one, histories, lft_of=lft_of, precedence=precedence) for one in kin}


def _links(
    session: ReadSession, told: Mapping[Key, Sequence[Message]]
) -> tuple[bool, Collection[Key]]:
    """Tell whether other numbers were told, and which named parents are known, here or there."""
    has_others = False
    named: set[Key] = set()
    for key, messages in told.items():
        for message in messages:
            facts = message.told
            if "other_codes" in facts:
                has_others = True
            if (parent := facts.get("parent")) is not None:
                named.add((key[0], parent))
    away = named - told.keys()
    return has_others, told.keys() | (dossiers.locate(session, away).keys() if away else set())


def _edges(clocked: Clocked) -> dict[Reading, tuple[Edge, ...]]:
    """Return the edges of every reading; those that stand as the promise are counted as it."""
    courses = clocked.courses
    promised = courses[_PROMISED]
    line = clocked.edges(_PROMISED)
    found = dict.fromkeys(courses, line)
    for reading in _OTHERS:
        if courses[reading] is not promised:
            found[reading] = clocked.edges(reading)
    return found


def _due_columns(due: Due | None) -> dict[str, Any]:
    if due is None:
        return {}
    return {
        "due_on": due.due_on,
        "due_at": due.due_at,
        "early_before": due.early_before,
        "on_time_until": due.on_time_until,
    }


_FINISHED = frozenset(FINISHES.values())


def _edge_columns(edges: Sequence[Edge], clocked: Clocked) -> dict[str, Any]:
    at, states, flows, due = [], [], [], []
    has_finished = False
    for edge in edges:
        at.append(edge.at)
        states.append(int(edge.state))
        flows.append(int(edge.flow))
        due.append(edge.due_on)
        has_finished = has_finished or edge.flow in _FINISHED
    taken = [clocked.days_taken(edge) for edge in edges] if has_finished else []
    return {
        "edge_days": taken if any(days is not None for days in taken) else [],
        "edge_at": at,
        "edge_state": states,
        "edge_flow": flows,
        "edge_due": due,
    }
