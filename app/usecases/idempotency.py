"""A creating request does its work once, however often it is sent.

The key is claimed, the work done and the answer kept in one transaction, so that after a crash
either all of it is there or nothing. Only answers of success are kept: a refusal may be mended
and sent again under the same key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from app.domain.errors import Invalid
from app.store import idempotency
from app.store.session import WriteSession
from app.usecases.access import Principal

KEPT_FOR: Final = timedelta(days=14)
"""Offices close for Tết; a sender may come back after it and still be recognised."""


@dataclass(eq=False, kw_only=True)
class KeyReused(Invalid):
    """The same Idempotency-Key came with another body."""

    code: ClassVar[str] = "idempotency.key_reused"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body, and whether they were given before."""

    status: int
    body: bytes
    is_replayed: bool = False


def once(
    session: WriteSession,
    who: Principal,
    *,
    route: str,
    key: str,
    fingerprint: bytes,
    work: Callable[[], Answer],
    now: datetime,
) -> Answer:
    """Do the work, or give the answer that it had when it was done under this key.

    :raises KeyReused: it was done for another body.
    """
    claimed = idempotency.claim(
        session, key_id=who.key_id, route=route, key=key, fingerprint=fingerprint, now=now
    )
    if claimed:
        answer = work()
        idempotency.keep(
            session,
            key_id=who.key_id,
            route=route,
            key=key,
            status=answer.status,
            body=answer.body,
        )
        return answer
    kept = idempotency.find(session, key_id=who.key_id, route=route, key=key)
    if kept is None or kept.fingerprint != fingerprint:
        raise KeyReused
    return Answer(kept.status, kept.body, is_replayed=True)


def forget_old(session: WriteSession, *, now: datetime) -> int:
    """Forget the answers that are older than 14 days; return how many."""
    return idempotency.purge(session, before=now - KEPT_FOR)
