"""Sources that fall silent: noticed once for each silence, told, and resolved when heard again."""

import uuid
from datetime import datetime
from typing import Final

from app.domain.mail import NAMESPACE
from app.i18n import ZONE
from app.store import outbox as posts
from app.store import silences, webhooks
from app.store.outbox import Event, Post
from app.store.session import ReadSession, WriteSession
from app.store.silences import Fallen, SilenceRow
from app.usecases import freshness, retirements
from app.usecases.outbox import SOURCE_SILENT, told
from app.usecases.subtree import Subtree

MOST_LISTED: Final = 200


def notice(session: WriteSession, *, now: datetime) -> tuple[int, int]:
    """Raise the silences that have begun, resolve those that ended, and count both.

    One ends when the source is heard again, or when it owes nothing any more to any unit.
    A silence is known by its source and the last day on which that was heard, so whoever looks,
    however often, raises the same one.
    """
    fallen = [
        Fallen(
            uuid.uuid5(NAMESPACE, f"silence\x1f{one.source}\x1f{one.freshness.last_heard_on}"),
            one.source,
            one.freshness.last_heard_on,
            one.freshness.rhythm or 0,
        )
        for one in freshness.fallen_silent(session, now=now)
    ]
    lasting = silences.unresolved(session)
    gone = retirements.fully_retired(session, lasting, today=now.astimezone(ZONE).date())
    ended = silences.resolve(session, also=gone, now=now)
    new = silences.add(session, fallen, now=now)
    raised = [one for one in fallen if one.id in new]
    if raised:
        _queue(session, raised, now=now)
    return len(raised), ended


def _queue(session: WriteSession, raised: list[Fallen], *, now: datetime) -> None:
    """Queue each silence for the receivers in whose units the source ever told anything."""
    places = silences.places(session, [one.source for one in raised])
    queued = [
        Post(Event(to.unit_id, one.id, to.id), SOURCE_SILENT, payload_of(one, now=now))
        for to in webhooks.receivers(session, SOURCE_SILENT)[SOURCE_SILENT]
        for one in raised
        if any(to.lft <= lft <= to.rgt for lft in places[one.source])
    ]
    posts.append(session, queued, now=now)


def payload_of(fallen: Fallen, *, now: datetime) -> dict[str, object]:
    """Return what is sent of a silence."""
    return {
        "type": SOURCE_SILENT,
        "timestamp": told(now),
        "data": {
            "silence": str(fallen.id),
            "source": fallen.source,
            "last_heard_on": fallen.last_heard_on.isoformat(),
            "rhythm_working_days": fallen.rhythm,
            "links": {"sources": "/v1/sources"},
        },
    }


def list_silences(session: ReadSession, *, within: Subtree) -> list[SilenceRow]:
    """Return the silences of the sources that told of a subtree, the newest first, bounded."""
    return silences.newest(session, lft=within.lft, rgt=within.rgt, most=MOST_LISTED)
