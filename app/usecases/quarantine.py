"""Records that could not be accepted: seen, mended and tried again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from app.domain.authority import Span
from app.domain.errors import Conflict
from app.domain.faults import Fault
from app.store import access, audit, quarantine, units
from app.store.quarantine import ACCEPTED, WAITING, Entry
from app.store.session import ReadSession, WriteSession
from app.usecases import ingest, intake
from app.usecases.access import Principal, Scope
from app.usecases.ingest import Incoming, Sender, VerdictWord
from app.usecases.intake import Form, Hash
from app.usecases.subtree import Subtree


class Waiting(StrEnum):
    """Whether a record still waits, or was accepted after all."""

    WAITING = WAITING
    ACCEPTED = ACCEPTED


@dataclass(eq=False, kw_only=True)
class QuarantineSettled(Conflict):
    """The record was accepted already; there is nothing left to try."""

    code: ClassVar[str] = "quarantine.settled"
    id: UUID


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of another try: a verdict, or the faults that are left (nothing changed)."""

    entry: Entry
    code: str | None
    word: VerdictWord
    faults: tuple[Fault, ...] = ()


def page(
    session: ReadSession,
    *,
    within: Subtree,
    state: Waiting | None,
    fault: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[Entry]:
    """List records in quarantine, oldest first, by state and by the code of a fault."""
    return quarantine.page(
        session,
        lft=within.lft,
        rgt=within.rgt,
        state=None if state is None else state.value,
        fault=fault,
        after=after,
        limit=limit,
    )


def get(session: ReadSession, entry_id: UUID, *, who: Principal) -> Entry:
    """Return one record in quarantine.

    :raises QuarantineUnknown: there is none of this number within the caller's units.
    """
    return quarantine.get(session, entry_id, lft=who.lft, rgt=who.rgt)


def retry(
    session: WriteSession,
    entry_id: UUID,
    *,
    mended: object = None,
    who: Principal,
    hash_applicant: Hash,
    now: datetime,
) -> Retried:
    """Try a record again, as it was kept or as it was mended; it stays its source's news.

    It is read under today's rules. While faults are left nothing changes and it goes on waiting.
    The record of another source may be mended only by a superior.

    :param mended: the whole record in the form in which it came; None is the one that was kept.
    :raises QuarantineUnknown: there is none of this number within the caller's units.
    :raises QuarantineSettled: it was accepted already.
    :raises ScopeMissing: it is another source's, and the key may not correct.
    """
    entry = get(session, entry_id, who=who)
    if entry.state != WAITING:
        raise QuarantineSettled(id=entry_id)
    if entry.source_id != who.source_id:
        who.require(Scope.DOSSIERS_CORRECT)
    is_kept = mended is None
    found = intake.read_again(
        form_of(entry),
        entry.raw if is_kept else mended,
        code=entry.code,
        who=who,
        hash_applicant=hash_applicant,
        now=now,
    )
    if not isinstance(found, Incoming):
        return Retried(entry, entry.code, VerdictWord.QUARANTINED, found)
    if is_kept and not found.stamped and found.source_updated_at == now:
        # without a stamp and without a date it is as old as its arrival
        found = replace(found, at=entry.recorded_at, source_updated_at=entry.recorded_at)
    by = _sender(session, entry, who)
    (verdict,) = ingest.accept(session, [found], by=by, door=entry.door, now=now)
    if verdict.word is VerdictWord.QUARANTINED:
        return Retried(entry, found.code, verdict.word, verdict.faults)
    if not quarantine.settle(session, entry, now=now):
        raise QuarantineSettled(id=entry_id)
    audit.append(
        session,
        actor=who.actor,
        action="quarantine.retry",
        subject=str(entry_id),
        unit_id=entry.unit_id or None,
        after={"code": found.code, "verdict": verdict.word.value, "mended": not is_kept},
    )
    return Retried(replace(entry, state=ACCEPTED, settled_at=now), found.code, verdict.word)


def form_of(entry: Entry) -> Form:
    """Return the wire format of a record; what did not come over a wire is in the native one."""
    return Form(entry.door) if entry.door in tuple(Form) else Form.NATIVE


def _sender(session: ReadSession, entry: Entry, who: Principal) -> Sender:
    """Return the sender for whom the words of the record mean what they meant when it came."""
    lft, rgt = access.WHOLE
    if entry.unit_id:
        root = units.by_id(session, [entry.unit_id])[entry.unit_id]
        lft, rgt = root.lft, root.rgt
    over = Span(who.lft, who.rgt)
    return Sender(entry.source_id, who.key_id, entry.unit_id or None, lft, rgt, over)
