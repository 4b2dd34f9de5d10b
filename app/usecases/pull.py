"""Sources that we ask ourselves: read from the newest change back to what is known.

A page is asked for outside any transaction and taken in within one, together with the note of how
far we are. A pull that breaks off goes on at its page: what changed meanwhile has moved to the
front and pushes the rest back, so that something may be read twice and nothing is passed over.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import ClassVar, Final, Protocol

from app.domain.errors import Conflict
from app.domain.night import Slot
from app.feeds import igate
from app.store import pulls, runs
from app.store.pulls import PullState
from app.store.runs import Claim
from app.store.session import Database, WriteSession
from app.usecases import intake
from app.usecases.ingest import Sender, VerdictWord
from app.usecases.intake import Hash

FEED: Final = "igate"
JOB: Final = "pull-igate"
OVERLAP: Final = timedelta(hours=1)
"""Changes so much older than the cursor are read once more: their server writes late."""
MOST_PAGES: Final = 100_000
PAGES: Final = "pages"


@dataclass(eq=False, kw_only=True)
class PageRepeated(Conflict):
    """The server gives the same page again, or pages without end."""

    code: ClassVar[str] = "pull.page_repeated"


class Source(Protocol):
    """What can be asked for pages, newest change first."""

    def page(self, number: int) -> tuple[Sequence[object], bool]:
        """Return the items of a page, counted from 0, and whether it is the last."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a pull needs to know beside its source: for whom it speaks and what words mean."""

    by: Sender
    hash_applicant: Hash
    clock: Callable[[], datetime]
    statuses: igate.Statuses = field(default_factory=dict)


def pull(
    database: Database,
    source: Source,
    terms: Terms,
    *,
    since: datetime | None = None,
    claim: Claim | None = None,
) -> Iterator[PullState]:
    """Read a source up to what is known and yield how far it is after each page.

    It takes the database and not a session: nothing is asked of others within a transaction.

    :param since: read from the beginning, back to this moment, whatever was read before.
    :param claim: the run that this is, kept alive page by page.
    :raises PullBusy: another process is pulling from the same source.
    :raises PageRepeated: the source gives no end.
    :raises RunLost: another process has taken the run over.
    :raises AppError: the source refuses or cannot be read; what was taken stands.
    """
    state = _begin(database, terms, since)
    before: list[str | None] = []
    while state.next_page < MOST_PAGES:
        items, is_last = source.page(state.next_page)
        codes = [igate.code_in(item) for item in items]
        if codes and codes == before:
            raise PageRepeated
        before = codes
        is_over = is_last or _is_known(items, state.cursor)
        with database.begin() as session:
            state = _take(session, state, items, terms, is_over=is_over)
            if claim is not None:
                runs.renew(session, claim, found=state.counts)
        yield state
        if is_over:
            return
    raise PageRepeated


def _begin(database: Database, terms: Terms, since: datetime | None) -> PullState:
    now = terms.clock()
    with database.begin() as session:
        state = pulls.ensure(session, terms.by.source_id, FEED, now=now)
        if since is not None:
            fresh: dict[str, object] = {
                "cursor": since,
                "reaching": None,
                "next_page": 0,
                "counts": {},
            }
            return pulls.change(session, state, fresh, now=now)
        if not state.next_page:
            return pulls.change(session, state, {"counts": {}}, now=now)
        return state


def _take(
    session: WriteSession,
    state: PullState,
    items: Sequence[object],
    terms: Terms,
    *,
    is_over: bool,
) -> PullState:
    now = terms.clock()
    reaching = state.reaching
    if not state.next_page:
        known = [moment for item in items if (moment := igate.updated_at(item)) is not None]
        reaching = min(max(known, default=now), now)
    counts = dict.fromkeys((*(word.value for word in VerdictWord), PAGES), 0) | dict(state.counts)
    counts[PAGES] += 1
    # claimed before anything is written, so that of two pulls one stops here
    state = pulls.change(
        session, state, {"next_page": state.next_page + 1, "reaching": reaching}, now=now
    )
    for verdict in intake.igate_items(
        session,
        items,
        statuses=terms.statuses,
        by=terms.by,
        hash_applicant=terms.hash_applicant,
        now=now,
    ):
        counts[verdict.word.value] += 1
    values: Mapping[str, object] = {"counts": counts, **(_reached(state) if is_over else {})}
    if is_over:
        values = {**values, "succeeded_at": now}
    return pulls.change(session, state, values, now=now)


def _reached(state: PullState) -> dict[str, object]:
    known = [moment for moment in (state.cursor, state.reaching) if moment is not None]
    return {"cursor": max(known, default=None), "reaching": None, "next_page": 0}


def _is_known(items: Sequence[object], cursor: datetime | None) -> bool:
    """Tell whether all that follows a page has been read before.

    That is certain only while changes stand in order, the newest first.
    """
    moments = [igate.updated_at(item) for item in items]
    told = [moment for moment in moments if moment is not None]
    if cursor is None or not told or len(told) < len(moments):
        return False
    is_ordered = all(one >= other for one, other in pairwise(told))
    return is_ordered and told[-1] < cursor - OVERLAP


# ---------------------------------------------------------------- scheduled


def claim_due(
    session: WriteSession, *, every: timedelta, owner: str, now: datetime
) -> Claim | None:
    """Take the pull of this stretch of time, None when it is done or another does it."""
    seconds = int(every.total_seconds())
    begun = now - timedelta(seconds=int(now.timestamp()) % seconds, microseconds=now.microsecond)
    runs.plan(session, [Slot(JOB, f"{begun:%Y-%m-%dT%H:%MZ}", begun)])
    return runs.claim_oldest(session, JOB, owner=owner, now=now)


def work(database: Database, claim: Claim, source: Source, terms: Terms) -> PullState:
    """Do a claimed pull to its end.

    :raises AppError: as ``pull``.
    """
    *_, last = pull(database, source, terms, claim=claim)
    with database.begin() as session:
        runs.finish(session, claim, found=last.counts)
    return last
