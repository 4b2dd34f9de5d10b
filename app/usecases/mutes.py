"""Muting alerts for a while, with a reason; lists and figures show everything as before."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from app.domain.errors import Invalid, NotFound
from app.domain.mute import NoteReason, check_end
from app.store import audit, dossiers, mutes
from app.store.mutes import MuteRow
from app.store.session import ReadSession, WriteSession
from app.usecases.access import Principal
from app.usecases.dossiers import the_one
from app.usecases.subtree import Subtree, unit_of


@dataclass(eq=False, kw_only=True)
class MuteUnknown(NotFound):
    """No mute has this id, or none within the caller's units."""

    code: ClassVar[str] = "mute.unknown"
    id: str


@dataclass(eq=False, kw_only=True)
class MuteUnclear(Invalid):
    """A mute is of one dossier or of one unit: exactly one of them is named."""

    code: ClassVar[str] = "mute.unclear"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be muted: a dossier or a unit, one stage or all, why and until when."""

    reason: NoteReason
    until: datetime
    code: str | None = None
    source: str | None = None
    unit: str | None = None
    stage: str | None = None


def mute(session: WriteSession, wanted: Wanted, *, who: Principal, now: datetime) -> MuteRow:
    """Stop sending the alerts of a dossier, or of a unit and all below it, for a while.

    :raises MuteUnclear: neither or both are named.
    :raises MuteEndsWrongly: it ends in the past, or too far ahead.
    :raises UnitUnknown: there is no such unit, or it lies outside what the caller may see.
    :raises DossierUnknown: there is none of this number within the caller's units.
    :raises DossierAmbiguous: several sources sent one and none is named.
    """
    check_end(wanted.until, now=now)
    unit_id, source_id = _place_of(session, wanted, who)
    mute_id = uuid.uuid4()
    told = {"code": wanted.code, "stage": wanted.stage, "reason": wanted.reason.value}
    mutes.add(
        session,
        {
            **told,
            "id": mute_id,
            "unit_id": unit_id,
            "source_id": source_id,
            "until": wanted.until,
            "actor": who.actor,
            "created_at": now,
        },
    )
    audit.append(
        session,
        actor=who.actor,
        action="alert.mute",
        subject=str(mute_id),
        unit_id=unit_id,
        after={**told, "until": wanted.until.isoformat()},
    )
    return get(session, mute_id, who=who)


def _place_of(session: ReadSession, wanted: Wanted, who: Principal) -> tuple[int, int | None]:
    """Return the unit of what is muted and, of a dossier, its source."""
    if (wanted.code is None) == (wanted.unit is None):
        raise MuteUnclear
    if wanted.unit is not None:
        return unit_of(session, who, wanted.unit).id, None
    code = wanted.code or ""
    found = dossiers.find(session, code, lft=who.lft, rgt=who.rgt, source=wanted.source)
    row = the_one(found, code).row
    return int(row["unit_id"]), int(row["source_id"])


def get(session: ReadSession, mute_id: UUID, *, who: Principal) -> MuteRow:
    """Return a mute.

    :raises MuteUnknown: there is none within what the caller may see.
    """
    found = mutes.find(session, mute_id)
    if found is None or not who.covers(found.lft):
        raise MuteUnknown(id=str(mute_id))
    return found


def list_mutes(
    session: ReadSession,
    *,
    within: Subtree,
    live_at: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> tuple[list[MuteRow], bool]:
    """Return a page of the mutes of a subtree, newest first, and whether there are more."""
    found = mutes.page(
        session, lft=within.lft, rgt=within.rgt, live_at=live_at, after=after, limit=limit + 1
    )
    return found[:limit], len(found) > limit


def unmute(session: WriteSession, mute_id: UUID, *, who: Principal, now: datetime) -> MuteRow:
    """End a mute before its time; ending it twice changes nothing.

    :raises MuteUnknown: there is none within what the caller may see.
    """
    found = get(session, mute_id, who=who)
    if mutes.lift(session, mute_id, by=who.actor, now=now):
        audit.append(
            session,
            actor=who.actor,
            action="alert.unmute",
            subject=str(mute_id),
            unit_id=found.unit_id,
        )
    return get(session, mute_id, who=who)
