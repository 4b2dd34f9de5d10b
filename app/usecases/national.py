"""The door of the national envelope: who signs in, what a session opens, what is answered.

A session is a sealed note of the key that signed in and of its end. It opens nothing that the key
itself would not open at that moment: a revoked or expired key ends its sessions.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from app.domain.errors import AppError
from app.feeds import national
from app.feeds.national import Answer, AnswerCode, Envelope, Reply, Service
from app.i18n import Language, phrase
from app.store.session import Database
from app.usecases import ingest, intake, turns
from app.usecases.access import Principal, Unauthenticated
from app.usecases.coalescing import Coalescer
from app.usecases.ingest import Incoming, Unreadable, Verdict
from app.usecases.intake import Form

SESSION_LASTS: Final = timedelta(hours=12)
"""Senders keep a session until it fails, then sign in again."""

_MARK: Final = "dhs_"
_SEAL: Final = 32


@dataclass(eq=False, kw_only=True)
class SessionUnknown(AppError):
    """The session is none that we gave, or its time is over."""

    code: ClassVar[str] = "national.session_unknown"


def say(code: str, params: Mapping[str, str]) -> str:
    """Return the Vietnamese sentence of a code: senders of this format read no other language."""
    return phrase(Language.VI, code, params)


# ---------------------------------------------------------------- sessions


def open_session(key: bytes, who: Principal, *, now: datetime) -> str:
    """Return a session for the holder of a key.

    :param key: the installation's key for sealing sessions.
    """
    ends = int((now + SESSION_LASTS).timestamp())
    note = f"{ends}:{who.key_id}:{who.prefix}".encode("ascii")
    sealed = base64.urlsafe_b64encode(_seal(key, note) + note)
    return _MARK + sealed.decode("ascii").rstrip("=")


def is_session(text: str) -> bool:
    """Tell whether a text has the look of a session."""
    return text.startswith(_MARK)


def prefix_in(key: bytes, session: str | None, *, now: datetime) -> str:
    """Return the public prefix of the key that opened a session.

    :raises SessionUnknown: there is no session, we did not give it, or its time is over.
    """
    if session is None or not is_session(session) or not session.isascii():
        raise SessionUnknown
    sealed = session.removeprefix(_MARK)
    try:
        raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise SessionUnknown from error
    note = raw[_SEAL:]
    if not hmac.compare_digest(raw[:_SEAL], _seal(key, note)):
        raise SessionUnknown
    ends, _, prefix = note.decode("ascii").split(":")
    if now >= datetime.fromtimestamp(int(ends), UTC):
        raise SessionUnknown
    return prefix


def _seal(key: bytes, note: bytes) -> bytes:
    return hmac.digest(key, note, hashlib.sha256)


def check_name(who: Principal, username: str) -> None:
    """Pass if a user name is the public prefix of the caller's key, its name or its source.

    :raises Unauthenticated: it is none of them.
    """
    if username.strip() not in {who.prefix, who.name, who.source_code}:
        raise Unauthenticated


# ---------------------------------------------------------------- calls


FEW: Final = 10
"""Calls of no more records than this share transactions with others that arrive with them."""


def take_in(
    database: Database,
    coalescer: Coalescer,
    envelope: Envelope,
    *,
    who: Principal,
    hash_applicant: intake.Hash,
    now: datetime,
) -> Answer:
    """Take in one call and return its answer; every record of it has a verdict of its own.

    A dossier that the sender calls new and that was known is taken, and answered as existing. A
    call with few records shares its transaction with others, a larger one has its own; both are
    committed before the answer is returned.

    :raises StorageUnavailable: the database cannot serve; nothing of the call was kept.
    """
    by = intake.sender_of(who)
    if len(envelope.data) <= FEW:
        records, form = _read(envelope, hash_applicant, now)
        verdicts = coalescer.submit(records, by=by, door=form, now=now).result()
    else:
        with turns.BATCHES.of(len(envelope.data)):
            records, form = _read(envelope, hash_applicant, now)
            with database.begin() as session:
                verdicts = ingest.accept(session, records, by=by, door=form, now=now)
    return national.answer(_replies(envelope, verdicts), say=say)


def _read(
    envelope: Envelope, hash_applicant: intake.Hash, now: datetime
) -> tuple[Sequence[Incoming | Unreadable], Form]:
    match envelope.service:
        case Service.DOSSIERS:
            records = intake.read_national_dossiers(
                envelope.data, unit=envelope.unit, hash_applicant=hash_applicant, now=now
            )
            return records, Form.NATIONAL
        case Service.PROGRESS:
            return intake.read_national_steps(envelope.data, now=now), Form.NATIONAL_STEP


def _replies(envelope: Envelope, verdicts: Sequence[Verdict]) -> list[Reply]:
    inserts = envelope.service is Service.DOSSIERS and not envelope.updating
    return [
        Reply(
            verdict.code or "",
            inserts and not verdict.is_new and not verdict.faults,
            verdict.faults[0] if verdict.faults else None,
        )
        for verdict in verdicts
    ]


def refusal(code: AnswerCode, error: AppError) -> Answer:
    """Return the answer to a call that was not taken in."""
    return national.refusal(code, error, say=say)


def failure(code: AnswerCode, sentence: str) -> Answer:
    """Return the answer to a call that was not taken in, by the code of a sentence."""
    return national.failure(code, sentence, {}, say=say)


def signed_in(session: str) -> Answer:
    """Return the answer to a login that gave a session."""
    return national.signed_in(session, say=say)


def not_signed_in() -> Answer:
    """Return the answer to a login with a wrong name or password."""
    return national.not_signed_in(say=say)
