"""Editions of the index feed: given out when it says something new, the last one for ever.

Each morning every root of units is scored under each rule set that is used there. An edition is
kept and told to receivers only when it says something that the one before did not, so a night
without news is silent. When the year of a root is closed one final edition is made of what was
known then, and none follows.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode
from uuid import uuid5

import orjson

from app.domain.alert import NAMESPACE
from app.domain.errors import AppError, NotFound
from app.domain.night import Slot, newest_night
from app.i18n import ZONE
from app.rulebook.metrics import load_metrics
from app.rulebook.rule_sets import RuleSetNotInForce, UnknownRuleSet
from app.store import editions, outbox, runs, units, webhooks
from app.store.editions import Edition, Series
from app.store.outbox import Event, Post
from app.store.runs import Claim, RunLost
from app.store.session import Database, ReadSession, StorageUnavailable, WriteSession
from app.store.units import UnitRow
from app.usecases import feed, index, periods
from app.usecases.access import OPERATOR
from app.usecases.outbox import INDEX_FEED, above, told
from app.usecases.rule_sets import PeriodAcrossChange
from app.usecases.runs import Duty
from app.usecases.scorecards import PeriodNotAssessed

log = logging.getLogger(__name__)

JOB: Final = "index-feed"
MOST_CARRIED: Final = 1_000_000
"""A larger document is not carried by the event; the receiver fetches it."""


@dataclass(eq=False, kw_only=True)
class EditionsFailed(AppError):
    """Of some series no edition could be made; the others have theirs."""

    code: ClassVar[str] = "index.editions_failed"
    failed: int
    series: int


@dataclass(eq=False, kw_only=True)
class EditionUnknown(NotFound):
    """The feed has no edition of this number."""

    code: ClassVar[str] = "index.edition_unknown"
    number: int


# ---------------------------------------------------------------- making them


def due(session: ReadSession, *, now: datetime) -> list[tuple[UnitRow, Series]]:
    """Return the series that may have news: of this year, and of last year until it is final."""
    year = now.astimezone(ZONE).year
    roots = [row for row in units.children(session, None) if not row.is_bucket]
    found = []
    for row in roots:
        for each in (year - 1, year):
            begun = editions.rule_sets_begun(session, row.id, each)
            used = editions.rule_sets_used(session, index.year_of(each), lft=row.lft, rgt=row.rgt)
            wanted = begun | used | ({index.DEFAULT_RULE_SET} if each == year else set())
            found += [(row, Series(row.id, name, each)) for name in sorted(wanted)]
    return found


def issue(session: WriteSession, root: UnitRow, series: Series, *, now: datetime) -> Edition | None:
    """Make the next edition of a series if there is news; None when there is none to give.

    A rule set that is not in force on the last day of the year, or changes within it, has no
    edition of the year.
    """
    editions.hold(session, series)
    before = editions.newest(session, series)
    if before is not None and before.is_final:
        return None
    period = index.year_of(series.year)
    closed = periods.closing_of(session, root, period, known_at=now)
    known_at = now if closed is None else closed.closing.known_at
    asked = index.Asked(series.year, min(period.ends, known_at), known_at, closed is None)
    body = _document(session, root, series, before, asked)
    if body is None or (before is not None and closed is None and body["hash"] == before.hash):
        return None
    edition = Edition(
        series=series,
        number=1 if before is None else before.number + 1,
        known_at=known_at,
        as_of=asked.as_of,
        hash=str(body["hash"]),
        period_id=None if closed is None else closed.id,
        recorded_at=now,
    )
    spelled = orjson.dumps(body)
    editions.add(session, edition, spelled)
    _tell(session, root, edition, before, body, len(spelled), now=now)
    return edition


def _document(
    session: ReadSession,
    root: UnitRow,
    series: Series,
    before: Edition | None,
    asked: index.Asked,
) -> dict[str, Any] | None:
    try:
        found = feed.scored(session, series.rule_set, asked, root=root, who=OPERATOR)
    except (UnknownRuleSet, RuleSetNotInForce, PeriodAcrossChange, PeriodNotAssessed):
        return None
    if not found.assessed:
        return None
    return index.document(
        found.rule_set,
        load_metrics(),
        asked,
        found.assessed,
        is_confirmed=found.is_confirmed,
        since=None if before is None else before.known_at,
        before={} if before is None else _sub_indices(session, before),
    )


def _sub_indices(session: ReadSession, edition: Edition) -> Mapping[str, str | None]:
    """Return what an edition said of each unit, as printed."""
    body = orjson.loads(editions.find_body(session, edition.series, edition.number) or b"{}")
    return {entry["unit"]: entry["sub_index"] for entry in body.get("units", ())}


# ---------------------------------------------------------------- telling


def _tell(
    session: WriteSession,
    root: UnitRow,
    edition: Edition,
    before: Edition | None,
    body: Mapping[str, Any],
    size: int,
    *,
    now: datetime,
) -> int:
    """Queue an edition for the receivers of the root and of the units above it."""
    series = edition.series
    name = f"{INDEX_FEED}\x1f{root.code}\x1f{series.rule_set}\x1f{series.year}\x1f{edition.number}"
    data: dict[str, object] = {
        "unit": root.code,
        "rule_set": series.rule_set,
        "year": series.year,
        "edition": edition.number,
        "known_at": told(edition.known_at),
        "hash": edition.hash,
        "previous_hash": None if before is None else before.hash,
        "is_final": edition.is_final,
        "links": {"edition": address_of(root.code, edition)},
        "feed": body if size <= MOST_CARRIED else None,
    }
    payload: dict[str, object] = {
        "type": INDEX_FEED,
        "timestamp": told(edition.known_at),
        "data": data,
    }
    event_id = uuid5(NAMESPACE, name)
    posts = [
        Post(Event(to.unit_id, event_id, to.id), INDEX_FEED, payload)
        for to in above(webhooks.receivers(session, INDEX_FEED)[INDEX_FEED], root.lft)
    ]
    return outbox.append(session, posts, now=now)


def address_of(unit: str, edition: Edition) -> str:
    """Return the path under which an edition is read."""
    series = edition.series
    query = urlencode({"unit": unit, "rule_set": series.rule_set}, quote_via=quote)
    return f"/v1/index-feed/{series.year}/editions/{edition.number}?{query}"


# ---------------------------------------------------------------- the morning's run


def plan(session: WriteSession, *, now: datetime) -> Slot:
    """Write the run of the newest night and return it.

    One that was missed is not made up for: an edition says what is known, not what was news.
    """
    night = newest_night(now=now)
    slot = Slot(JOB, night.key, night.as_of)
    runs.plan(session, [slot])
    return slot


def claim_due(session: WriteSession, *, owner: str, now: datetime) -> Claim | None:
    """Take the run of the newest night, None when it is done or another process works on it."""
    return runs.claim_slot(session, plan(session, now=now), owner=owner)


def work(database: Database, claim: Claim, duty: Duty) -> None:
    """Make every edition that has news, each in a transaction of its own.

    It takes the database and not a session, so that one series that fails undoes and stops no
    other. The run then fails as a whole, with the series and its reason in what it found; done
    again, it takes up only what is not done.

    :raises EditionsFailed: of some series no edition could be made.
    :raises RunLost: another process has taken the run over; it will finish it.
    """
    with database.read() as session:
        wanted = due(session, now=duty.clock())
    progress = _Progress.of(claim.found)
    for root, series in wanted:
        name = f"{root.code} {series.rule_set} {series.year}"
        if name in progress.done:
            continue
        try:
            with database.begin() as session:
                made = issue(session, root, series, now=duty.clock())
                after = progress.with_done(name, made)
                runs.renew(session, claim, found=after.told(len(wanted)))
        except (RunLost, StorageUnavailable):
            raise
        except Exception as error:
            log.exception("edition failed", extra={"series": name})
            progress = progress.with_failed(name, error)
        else:
            progress = after
    with database.begin() as session:
        settle = runs.renew if progress.failed else runs.finish
        settle(session, claim, found=progress.told(len(wanted)))
    if progress.failed:
        raise EditionsFailed(failed=len(progress.failed), series=len(wanted))


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far a run has come: which series are done, with how many editions, and which failed."""

    editions: int
    final: int
    done: tuple[str, ...]
    failed: tuple[dict[str, str], ...] = ()

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "_Progress":
        """Read what earlier holders of the slot have done; what failed is to be tried again."""
        done = tuple(found.get("done", ()))
        return cls(int(found.get("editions", 0)), int(found.get("final", 0)), done)

    def with_done(self, name: str, made: Edition | None) -> "_Progress":
        return replace(
            self,
            editions=self.editions + int(made is not None),
            final=self.final + int(made is not None and made.is_final),
            done=(*self.done, name),
        )

    def with_failed(self, name: str, error: Exception) -> "_Progress":
        code = error.code if isinstance(error, AppError) else "unexpected"
        return replace(self, failed=(*self.failed, {"series": name, "code": code}))

    def told(self, series: int) -> dict[str, object]:
        """Return what the list of runs shows."""
        counts: dict[str, object] = {
            "series": series,
            "editions": self.editions,
            "final": self.final,
        }
        return counts | {"done": list(self.done), "failed": list(self.failed)}


# ---------------------------------------------------------------- reading


def listed(session: ReadSession, series: Series, *, below: int | None, limit: int) -> list[Edition]:
    """Return editions of a series, newest first."""
    return editions.page(session, series, below=below, limit=limit)


def document_of(session: ReadSession, series: Series, number: int) -> bytes:
    """Return the document of an edition, byte for byte as it was given out.

    :raises EditionUnknown: there is none of this number.
    """
    found = editions.find_body(session, series, number)
    if found is None:
        raise EditionUnknown(number=number)
    return found


def closed_at(session: ReadSession, unit: UnitRow, year: int, *, now: datetime) -> datetime | None:
    """Return the moment of knowledge of the closed year of a unit or of one above it."""
    closed = periods.closing_of(session, unit, index.year_of(year), known_at=now)
    return None if closed is None else closed.closing.known_at
