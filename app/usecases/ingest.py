"""Take in what senders tell: keep it for ever, fold it, judge each record on its own.

One batch is one transaction. A record that cannot be true is quarantined with its reasons and the
good records beside it are kept; older news is kept as stale and never overwrites newer; what was
told before is unchanged. Two writers of one dossier settle by its version (``store.dossiers``).
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain
from operator import attrgetter
from typing import Any, Final

from app.domain import quality
from app.domain.authority import Span, may_tell
from app.domain.canonical import digest_of
from app.domain.dossier import History, Issue, gather, in_order
from app.domain.faults import Fault
from app.domain.reading import Clocked, read
from app.domain.record import Message, MessageKind, Told
from app.domain.sameness import Key, Kinship, words_of
from app.domain.values import immutable
from app.feeds.reading import canonical_bytes
from app.i18n import ZONE
from app.store import access, dossiers, freshness, quarantine, stamps, units
from app.store.dossiers import Claim, Claimed, Kept, Located
from app.store.session import Deadlocked, ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases import sameness, terms
from app.usecases.projection import Folded, Projected, edges_of, plain
from app.usecases.sameness import Near
from app.usecases.terms import NOWHERE, Lexicon

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RECORD: Final = MessageKind.RECORD
_CALENDAR_CHANGE: Final = MessageKind.CALENDAR_CHANGE

ROUNDS = 16
"""Who lost a race locks what it found, looks again and wins; only a dossier that turned up in
between, told to be the same as one of the batch or its leg, costs another round."""
DEADLOCKS: Final = 3
"""So often a batch begins again when the server ended it because two writers waited for each other;
should its caller hold what the other one waits for, that would go on for ever."""

PART: Final = 50
"""So many dossiers at least are sent to the server while the next ones are folded."""
MOST_PARTS: Final = 8
"""Parts of a batch, or few more; each costs PostgreSQL the beginning of its statements."""
URGED: Final = 16
"""After so many the wire is offered what it did not take before."""


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

    ``strip`` gives what may be kept of ``raw`` if it is refused; without it nothing is kept.
    """

    index: int
    code: str
    kind: MessageKind
    at: datetime
    source_updated_at: datetime
    stamped: bool
    told: Told
    raw: Any = None
    strip: Callable[[Any], Mapping[str, Any]] | None = None

    def placed(self, index: int) -> "Incoming":
        """Return it at another place; ``replace`` takes six times as long."""
        return Incoming(
            index,
            self.code,
            self.kind,
            self.at,
            self.source_updated_at,
            self.stamped,
            self.told,
            self.raw,
            self.strip,
        )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One record that cannot be accepted: what is left of it without persons, and why."""

    index: int
    code: str | None
    raw: Mapping[str, Any]
    faults: tuple[Fault, ...]

    def placed(self, index: int) -> "Unreadable":
        """Return it at another place."""
        return replace(self, index=index)


@immutable
class Verdict:
    """What became of one record of a batch; ``is_new`` tells a first sight from an update."""

    index: int
    code: str | None
    word: VerdictWord
    faults: tuple[Fault, ...] = ()
    is_new: bool = False
    quarantine_id: uuid.UUID | None = None

    def placed(self, index: int) -> "Verdict":
        """Return it for another place."""
        return Verdict(index, self.code, self.word, self.faults, self.is_new, self.quarantine_id)


_Heard = tuple[Incoming, bytes, Message]
"""What came in, its canonical text, and the message that is kept of it."""


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
    messages: list[Message]
    """Everything that was ever told of it, in order of arrival."""
    fresh: list[_News]
    verdicts: list[Verdict]
    first_seq: int

    @property
    def others_named(self) -> bool:
        """Tell whether another number was ever told of the dossier."""
        return any("other_codes" in one.told for one in self.messages)


class VersionRace(RuntimeError):
    """A dossier could not be settled in the rounds that always suffice: a bug."""


class _Lost(Exception):
    """Another writer changed a dossier after it was read, or one turned up that was not locked."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of the dossiers of a batch and of those around them, read together."""

    unchanged: Mapping[Key, Sequence[Verdict]]
    """Those of which nothing was told but what was told before."""
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
        Unreadable(one.index, one.code, told.strip(told.raw), one.faults)
        for one in found
        if one.word is VerdictWord.QUARANTINED and (told := sent[one.index]).strip is not None
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
    for one in _fold(session, told, lexicon, _Links.of(session, told), homes=homes):
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
    wanted: dict[Key, Sequence[Incoming]] = dict.fromkeys(keys, ())
    batch = _Batch(session, by, now)
    batch.again.update(wanted)
    batch.settled(wanted)
    return len(wanted)


class _Batch:
    """The work on one batch: read, claim by version, fold and write, all undone for who lost."""

    def __init__(self, session: WriteSession, by: Sender, now: datetime) -> None:
        self.session = session
        self.by = by
        self.root = by.unit_id or 0
        self.now = now
        self.heard: set[int] = set()
        self.told: dict[Key, list[_Heard]] = {}
        """What was told of each dossier, as it is kept; made while the server looks them up."""
        self.again: set[Key] = set()
        """Dossiers that are folded again, whatever was told of them."""
        self.met: set[Key] = set()
        """Dossiers that were found in any round so far: who looks again locks them all at once."""

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
        a round, and a second round on top of a first would break that order. Numbers have their
        own order and go before dossiers; should two writers wait for each other all the same, the
        one that the server chose begins again like one that lost.

        :raises VersionRace: it lost more often than can be.
        :raises Deadlocked: that happened ``DEADLOCKS`` times and once more.
        """
        deadlocks = 0
        for number in range(ROUNDS):
            try:
                with self.session.savepoint():
                    return self._round(wanted, is_again=number > 0)
            except _Lost:
                continue
            except Deadlocked:
                deadlocks += 1
                if deadlocks > DEADLOCKS:
                    raise
        raise VersionRace(f"{len(wanted)} dossiers")

    def _seen(self, wanted: Mapping[Key, Sequence[Incoming]]) -> "_Seen":
        """Look up what is known of some dossiers and of those around them.

        A dossier of which nothing new was told goes no further.
        """
        stamp = stamps.of_catalogue(self.session)
        sought = dossiers.sought(self.session, wanted)
        if len(wanted) > URGED:
            self.session.start()
        for key, incoming in wanted.items():  # while the server looks
            if key not in self.told:
                self.told[key] = [self._kept(one) for one in incoming]
        located = sought.get()
        looked, kept = None, {}
        places: Mapping[Key, Sequence[int]] = {}
        if located:
            looked = sameness.Looked.up(self.session, self._numbers(located, {}))
            standing = dossiers.places(self.session, located)
            kept = dossiers.records(self.session, located)
            places = standing.get()
        unchanged = self._unchanged(located, kept)
        news = [key for key in wanted if key not in unchanged]
        entered = sameness.enter(
            self.session,
            self._numbers(news, kept),
            known=located,
            parents=self._parents(news),
            looked=looked,
        )
        new = wanted.keys() - located.keys()
        legs = dossiers.legs_of(self.session, new) if new else None
        if len(wanted) > URGED:
            self.session.start()
        words = self._words(news, kept)
        near = entered.near(self.session)
        if near.kept:
            words = self._words([*news, *near.kept], kept | dict(near.kept))
        lexicon = terms.lexicon(self.session, words, now=self.now, stamp=stamp)
        waiting = legs.get() if legs else {}
        return _Seen(unchanged, located, kept, near, lexicon, waiting, places)

    def _unchanged(
        self, located: Mapping[Key, Located], kept: Mapping[Key, Kept]
    ) -> dict[Key, list[Verdict]]:
        """Return the dossiers of which everything was told before, with their verdicts.

        An approval is judged by the rights of its sender first.
        """
        found = {}
        for key, record in kept.items():
            told = self.told[key]
            known = record.heard
            if key not in self.again and all(
                message.is_among(known) and not one.told.get("approved") for one, _, message in told
            ):
                self._hear(told, located[key])
                found[key] = [Verdict(one.index, one.code, _UNCHANGED) for one, _, _ in told]
        return found

    def _round(self, wanted: Mapping[Key, Sequence[Incoming]], *, is_again: bool) -> list[Verdict]:
        """Settle dossiers, or nothing of them.

        :raises _Lost: another writer changed one of them after it was read.
        """
        seen = self._seen(wanted)
        if is_again:
            self.met.update(seen.located, seen.near.located, seen.legs)
            dossiers.lock(self.session, self.met)
            seen = self._seen(wanted)
        return self._settled(wanted, seen, is_locked=is_again)

    def _settled(
        self, wanted: Mapping[Key, Sequence[Incoming]], seen: _Seen, *, is_locked: bool
    ) -> list[Verdict]:
        """Claim, fold and write what was seen, with the legs that find their parent in it."""
        planned = self._planned([key for key in wanted if key not in seen.unchanged], seen)
        writing = [one for one in planned if one.fresh or one.key in self.again]
        legs = self._legs(writing, seen)
        if legs:
            self.again |= legs
            whole = {**dict.fromkeys(legs, ()), **wanted}
            return self._settled(whole, self._seen(whole), is_locked=is_locked)
        beside = self._beside(planned, writing, seen)
        nexts = sorted((*writing, *beside), key=_key)
        if is_locked:
            known = {one.key for one in nexts if one.place.version > 0}
            if not known <= self.met:  # to lock more now would break the order
                self.met |= known
                raise _Lost
        if nexts and not self._is_written(nexts, writing, beside, seen):
            raise _Lost
        verdicts = [verdict for one in planned for verdict in one.verdicts]
        return verdicts + [verdict for same in seen.unchanged.values() for verdict in same]

    def _is_written(
        self,
        nexts: Sequence[_Next],
        writing: Sequence[_Next],
        beside: Sequence[_Next],
        seen: _Seen,
    ) -> bool:
        """Claim dossiers and write what is believed of them now; tell whether all were won.

        What does not ask for the fold goes first, and the server works on it meanwhile: the
        claims, what was told, and what was believed so far.
        """
        most = len(nexts) if beside else max(PART, len(nexts) // MOST_PARTS)
        links = _Links.of(self.session, {one.key: one.messages for one in nexts})
        parts: Iterator[tuple[Sequence[_Next], Mapping[Key, Projected]]]
        parts = self._folded(nexts, seen.lexicon, links, most=most)
        changing = nexts
        if beside:  # which of them follow the others shows once all are folded
            ((_, whole),) = parts
            changing = [*writing, *self._moved(writing, beside, whole)]
            parts = iter([(changing, whole)])
        elif links.share:  # their fold asks the server, and has done so with its first part
            parts = chain([next(parts)], parts)
        replaced = self._replaced(changing, seen)
        claimed = self._claimed(nexts, changing)
        self._append(changing)
        dossiers.remember(self.session, replaced, now=self.now)
        if len(nexts) > URGED:
            self.session.start()
        for part, folded in parts:
            self._write(part, folded, replaced=replaced)
        return claimed.are_won()

    def _claimed(self, nexts: Iterable[_Next], changing: Iterable[_Next]) -> Claimed:
        """Claim the next version of dossiers that change, and hold the others as they are."""
        written = {one.key for one in changing}
        return dossiers.claim(
            self.session,
            [
                Claim(
                    *one.key,
                    one.place.home_unit_id,
                    one.place.unit_id,
                    one.place.version,
                    writes=one.key in written,
                )
                for one in nexts
            ],
        )

    def _folded(
        self, nexts: Sequence[_Next], lexicon: Lexicon, links: "_Links", *, most: int
    ) -> Iterator[tuple[list[_Next], dict[Key, Projected]]]:
        """Fold dossiers one after the other, and keep of each no more than what is written.

        They come in parts of ``most``. What was sent of a part is written by the server while the
        next one is folded.
        """
        part: list[_Next] = []
        folded: dict[Key, Projected] = {}
        for number, (one, projected) in enumerate(self._projected(nexts, lexicon, links), 1):
            part.append(one)
            folded[one.key] = projected
            if number % most == 0:
                yield part, folded
                part, folded = [], {}
                self.session.start()
            elif number % URGED == 0:
                self.session.start()
        if part:
            yield part, folded

    def _projected(
        self, nexts: Sequence[_Next], lexicon: Lexicon, links: "_Links"
    ) -> Iterator[tuple[_Next, Projected]]:
        """Fold dossiers as ``_fold`` does, to the rows of their next versions."""
        if links.share:
            told = {one.key: one.messages for one in nexts}
            homes = {one.key: one.place.home_unit_id for one in nexts}
            each = _fold(self.session, told, lexicon, links, homes=homes)
            for one, folded in zip(nexts, each, strict=True):
                version = one.place.version + 1
                yield one, folded.projected(lexicon, version=version, now=self.now)
            return
        for one in nexts:
            yield one, self._projected_alone(one, lexicon, links.parents)

    def _projected_alone(self, one: _Next, lexicon: Lexicon, parents: Collection[Key]) -> Projected:
        """Fold a dossier that shares no number."""
        key, messages = one.key, one.messages
        home, version = one.place.home_unit_id, one.place.version + 1
        history = _history(messages, lexicon)
        found = plain(key, messages, history, lexicon, home=home, version=version, now=self.now)
        if found is not None:
            return found
        folded = _alone(key, messages, history, lexicon, parents, home)
        return folded.projected(lexicon, version=version, now=self.now)

    def _legs(self, writing: Sequence[_Next], seen: _Seen) -> set[Key]:
        """Return the legs that wait for one of the dossiers that are new, and have no news."""
        if not seen.legs:
            return set()
        new = {one.key for one in writing if one.place.version == 0}
        legs = {leg for leg, parent in seen.legs.items() if parent in new}
        return legs - {one.key for one in writing}

    def _parents(self, keys: Iterable[Key]) -> set[Key]:
        """Return the dossiers that are told to be a parent of others."""
        return {
            (key[0], parent)
            for key in keys
            for one, _, _ in self.told[key]
            if (parent := one.told.get("parent")) is not None
        }

    def _numbers(self, keys: Iterable[Key], kept: Mapping[Key, Kept]) -> dict[Key, Collection[str]]:
        """Return every number under which each dossier was told, with the news."""
        found: dict[Key, Collection[str]] = {}
        for key in keys:
            told = [one.told for one, _, _ in self.told[key]]
            if key in kept:
                told += [one.told for one in kept[key].messages]
            found[key] = words_of(key, told)
        return found

    def _beside(
        self, planned: Sequence[_Next], writing: Sequence[_Next], seen: "_Seen"
    ) -> list[_Next]:
        """Return the dossiers without news that may be the same as one that has some."""
        if not writing:
            return []
        near = [
            _Next(key, seen.near.located[key], list(record.messages), [], [], record.last_seq + 1)
            for key, record in seen.near.kept.items()
        ]
        if not near and not any(one.others_named for one in writing):
            return []
        news = {one.key for one in writing}
        return [*near, *[one for one in planned if one.key not in news]]

    def _moved(
        self, writing: Sequence[_Next], beside: Sequence[_Next], folded: Mapping[Key, Projected]
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

    def _words(self, keys: Iterable[Key], kept: Mapping[Key, Kept]) -> terms.Words:
        told = []
        for key in keys:
            heard = [(self.root, one.told) for one, _, _ in self.told.get(key, ())]
            if key in kept:
                heard = [(one.root, one.told) for one in kept[key].messages] + heard
            told.append(heard)
        return terms.words_in(told)

    def _hear(self, heard: Sequence[_Heard], place: Located) -> None:
        """Note that the source told of a unit's dossiers, unless we tell ourselves."""
        for one, _, _ in heard:
            if one.kind is not _CALENDAR_CHANGE:
                self.heard.add(place.home_unit_id)
                return

    def _planned(self, keys: Sequence[Key], seen: _Seen) -> list[_Next]:
        """Tell news from what is known, dossier by dossier."""
        places = [seen.located[key] for key in keys if key in seen.located]
        rights = _Rights.of(self.session, self.by, places, seen.lexicon)
        return [
            self._next(key, seen.located.get(key), seen.kept.get(key), seen.lexicon, rights)
            for key in keys
        ]

    def _next(
        self,
        key: Key,
        place: Located | None,
        record: Kept | None,
        lexicon: Lexicon,
        rights: "_Rights",
    ) -> _Next:
        """Tell news from what is known, message by message, in the order of the batch."""
        messages = list(record.messages) if record else []
        fresh: list[_News] = []
        verdicts = []
        heard = self.told[key]
        for told in heard:
            is_approved = told[0].told.get("approved")
            one, text, message = (
                self._kept(rights.entitled(told[0], place)) if is_approved else told
            )
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
        self._hear(heard, place)
        last = record.last_seq if record else 0
        return _Next(key, place, messages, fresh, verdicts, last + 1)

    def _kept(self, one: Incoming) -> _Heard:
        """Return what was told as canonical text, and as the message that is kept."""
        kind, text = one.kind, canonical_bytes(one.told)
        message = Message(
            kind,
            one.at,
            one.source_updated_at,
            digest_of(kind, text, at=None if kind is _RECORD else one.at),
            self.now,
            one.told,
            one.stamped,
            self.root,
        )
        return one, text, message

    def _replaced(self, changing: Sequence[_Next], seen: _Seen) -> dict[Key, Sequence[int]]:
        """Return the units at which dossiers that change stood so far."""
        known = [one.key for one in changing if one.place.version > 0]
        if not known:
            return {}
        away = [key for key in known if key not in seen.places]
        beside = dossiers.places(self.session, away).get() if away else {}
        before = {**seen.places, **beside}
        return {key: before[key] for key in known if key in before}

    def _append(self, changing: Iterable[_Next]) -> None:
        """Send what was told of dossiers that change, to be kept for ever."""
        dossiers.append(
            self.session,
            [
                _appended(one, seq, news)
                for one in changing
                for seq, news in enumerate(one.fresh, one.first_seq)
            ],
            key_id=self.by.key_id,
            root_unit_id=self.root,
            now=self.now,
        )

    def _write(
        self,
        part: Sequence[_Next],
        folded: Mapping[Key, Projected],
        *,
        replaced: Mapping[Key, Sequence[int]],
    ) -> None:
        """Send what is believed now of dossiers that are claimed."""
        rows: list[dict[str, Any]] = []
        readings: list[dict[str, Any]] = []
        moved: dict[Key, int] = {}
        for one in part:
            projected = folded[one.key]
            rows += projected.rows
            readings += projected.readings
            if projected.holder != one.place.unit_id:
                moved[one.key] = projected.holder
        dossiers.hand_over(self.session, moved)
        dossiers.put(
            self.session,
            rows=rows,
            readings=readings,
            replaced={one.key: replaced[one.key] for one in part if one.key in replaced},
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


def _appended(one: _Next, seq: int, news: _News) -> dict[str, Any]:
    """Return the row of one message of the record, without what goes without saying."""
    message = news.message
    row: dict[str, Any] = {
        "unit_id": one.place.home_unit_id,
        "source_id": one.key[0],
        "code": one.key[1],
        "seq": seq,
        "source_updated_at": message.source_updated_at,
        "digest": message.digest,
        "told": news.text,
    }
    if message.kind is not _RECORD:
        row["kind"] = message.kind
    if message.at != message.source_updated_at:
        row["at"] = message.at
    if not message.stamped:
        row["stamped"] = False
    if news.stale:
        row["stale"] = True
    return row


_key: Final = attrgetter("key")


def _first_unit(messages: Sequence[Message]) -> str:
    """Return the word for the unit that the oldest news names."""
    for message in messages if len(messages) == 1 else in_order(messages):
        unit = message.told.get("unit")
        if unit:
            return unit
    return NOWHERE


def _compared(message: Message, known: Sequence[Message]) -> VerdictWord:
    """Tell whether a message is news, older news, or what was told before."""
    if message.is_among([one.heard for one in known]):
        return VerdictWord.UNCHANGED
    if message.kind is not MessageKind.RECORD:
        return VerdictWord.ACCEPTED
    records = [one for one in known if one.kind is _RECORD]
    newest = max(records, key=lambda one: one.order, default=None)
    if newest is None:
        return VerdictWord.ACCEPTED
    if message.stamped and newest.stamped:
        is_older = message.order < newest.order
    else:
        is_older = message.source_updated_at < newest.source_updated_at
    return VerdictWord.STALE if is_older else VerdictWord.ACCEPTED


def _fold(
    session: ReadSession,
    told: Mapping[Key, Sequence[Message]],
    lexicon: Lexicon,
    links: "_Links",
    *,
    homes: Mapping[Key, int],
) -> Iterator[Folded]:
    """Fold dossiers from their messages; those that share numbers must all be among them.

    Each is folded when it is asked for, so that what it took is free again before the next; the
    server is asked for the first alone.
    """
    parents = links.parents
    if not links.share:
        for key, messages in told.items():
            yield _alone(key, messages, _history(messages, lexicon), lexicon, parents, homes[key])
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
        yield Folded(
            key=key,
            home_unit_id=homes[key],
            history=history,
            clocked=clocked,
            edges=edges_of(clocked),
            found=issues,
            kinship=kin[key],
            counts=key in counted,
        )


def _alone(
    key: Key,
    messages: Sequence[Message],
    history: History,
    lexicon: Lexicon,
    parents: Collection[Key],
    home: int,
) -> Folded:
    """Fold a dossier that shares no number."""
    clocked, issues = _clocked(key, messages, history, lexicon, parents)
    edges = edges_of(clocked)
    return Folded(key, home, history, clocked, edges, issues, sameness.alone(key), True)


def _line(
    line: Sequence[Key],
    told: Mapping[Key, Sequence[Message]],
    lexicon: Lexicon,
    parents: Collection[Key],
) -> tuple[History, Clocked, frozenset[Issue]]:
    """Read one dossier of one source under all its numbers, the newest first."""
    messages = told[line[0]] if len(line) == 1 else sameness.in_line(line, told)
    history = _history(messages, lexicon)
    return history, *_clocked(line[0], messages, history, lexicon, parents)


def _history(messages: Sequence[Message], lexicon: Lexicon) -> History:
    unit_ids = lexicon.unit_ids
    nowhere = unit_ids.get((messages[0].root, NOWHERE))
    return gather(messages, unit_ids, nowhere=nowhere, heirs=lexicon.heirs)


def _clocked(
    key: Key,
    messages: Sequence[Message],
    history: History,
    lexicon: Lexicon,
    parents: Collection[Key],
) -> tuple[Clocked, frozenset[Issue]]:
    """Lay the law over a history, and look at what is worth a look."""
    source, code = key
    parent = history.facts.get("parent")
    is_known = parent is not None and (source, parent) in parents
    clocked = read(history, lexicon.terms(history, parent_known=is_known))
    return clocked, quality.find(code, messages, clocked)


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


@dataclass(frozen=True, slots=True)
class _Links:
    """What leads from some dossiers to others."""

    share: bool
    """Whether other numbers were told of one, or two sources told of one number."""
    parents: Collection[Key]
    """Those that are known, of the dossiers themselves and of the parents that they name."""

    @classmethod
    def of(cls, session: ReadSession, told: Mapping[Key, Sequence[Message]]) -> "_Links":
        """Look at what was told, and ask the server for parents that are elsewhere."""
        share = len({code for _, code in told}) < len(told)
        named: set[Key] = set()
        for key, messages in told.items():
            for message in messages:
                facts = message.told
                if "other_codes" in facts:
                    share = True
                if (parent := facts.get("parent")) is not None:
                    named.add((key[0], parent))
        away = named - told.keys()
        known = dossiers.locate(session, away).keys() if away else set[Key]()
        return cls(share, told.keys() | known)
