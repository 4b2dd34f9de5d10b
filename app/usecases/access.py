"""Who may ask: keys, scopes and subtrees.

A key reads ``dh_<environment>_<id8>_<secret43>`` in base 62. The first three parts are its public
prefix; of the secret only HMAC-SHA256 under the installation's pepper is kept. Its last six
letters are a checksum, so that a scanner can tell a leaked key from a random word.
"""

import binascii
import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from app.domain.errors import AppError, Forbidden, Invalid, NotFound
from app.store import access, audit, units
from app.store.access import KeyRow
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LETTERS: Final = 8
RANDOM_LETTERS: Final = 37  # 220 bits
CHECK_LETTERS: Final = 6
ENVIRONMENTS: Final = {"production": "prod", "demo": "demo", "test": "test"}
LONGEST: Final = timedelta(days=400)
CACHE_FOR: Final = timedelta(seconds=5)
USE_GRAIN: Final = timedelta(minutes=1)
CACHE_SIZE: Final = 4096

_KEY = re.compile(
    rf"dh_[a-z]{{1,10}}_[0-9A-Za-z]{{{ID_LETTERS}}}_[0-9A-Za-z]{{{RANDOM_LETTERS + CHECK_LETTERS}}}"
)
_NOBODY = b"\0" * 32


class Scope(StrEnum):
    """What a key may be allowed to do; none implies another."""

    DOSSIERS_WRITE = "dossiers:write"
    DOSSIERS_READ = "dossiers:read"
    DOSSIERS_CORRECT = "dossiers:correct"
    STATISTICS_READ = "statistics:read"
    INDEX_WRITE = "index:write"
    INDEX_VERIFY = "index:verify"
    PERIODS_CLOSE = "periods:close"
    CATALOGUE_WRITE = "catalogue:write"
    ALERTS_MANAGE = "alerts:manage"
    ADMIN = "admin"


@dataclass(eq=False, kw_only=True)
class Unauthenticated(AppError):
    """No key, or one that does not open: the answer never tells which."""

    code: ClassVar[str] = "access.unauthenticated"


@dataclass(eq=False, kw_only=True)
class ScopeMissing(Forbidden):
    """The key is good, but was not made for this."""

    code: ClassVar[str] = "access.scope_missing"
    scope: str


@dataclass(eq=False, kw_only=True)
class ScopeUnknown(Invalid):
    """A key was asked for with a scope that does not exist."""

    code: ClassVar[str] = "access.scope_unknown"
    scope: str
    known: str


@dataclass(eq=False, kw_only=True)
class ScopesEmpty(Invalid):
    """A key must be for something."""

    code: ClassVar[str] = "access.scopes_empty"


@dataclass(eq=False, kw_only=True)
class ExpiryTooLate(Invalid):
    """A key must end within 400 days, or it is never changed."""

    code: ClassVar[str] = "access.expiry_too_late"
    days: int


@dataclass(eq=False, kw_only=True)
class KeyUnknown(NotFound):
    """No key has this public prefix."""

    code: ClassVar[str] = "access.key_unknown"
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: a key, its source system, its part of the tree of units, its scopes."""

    key_id: int
    prefix: str
    name: str
    source_id: int
    source_code: str
    unit_id: int | None
    unit_code: str | None
    lft: int
    rgt: int
    scopes: frozenset[Scope]

    @property
    def actor(self) -> str:
        """Return the name under which changes are written to the audit trail."""
        return f"key:{self.prefix}"

    @property
    def is_whole(self) -> bool:
        """Tell whether the key is for the whole installation."""
        return self.unit_id is None

    def covers(self, lft: int) -> bool:
        """Tell whether the unit at a place of the tree lies in the key's subtree."""
        return self.lft <= lft <= self.rgt

    def require(self, scope: Scope) -> None:
        """Pass if the key has the scope.

        :raises ScopeMissing: it has not.
        """
        if scope not in self.scopes:
            raise ScopeMissing(scope=scope.value)


OPERATOR: Final = Principal(
    key_id=0,
    prefix="operator",
    name="operator",
    source_id=0,
    source_code="",
    unit_id=None,
    unit_code=None,
    lft=access.WHOLE[0],
    rgt=access.WHOLE[1],
    scopes=frozenset(Scope),
)
"""Who works at the machine itself, or the service on its own account: everything, without a key."""


def operator(root: UnitRow | None) -> Principal:
    """Return the operator of the installation, for commands: every scope, within a unit or all."""
    if root is None:
        return OPERATOR
    return replace(OPERATOR, unit_id=root.id, unit_code=root.code, lft=root.lft, rgt=root.rgt)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key just made; ``key`` is shown once and kept nowhere."""

    key: str
    prefix: str
    source: str
    unit: str | None
    scopes: tuple[str, ...]
    expires_at: datetime | None


class Keyring:
    """Checks keys for one installation, remembering good ones for five seconds.

    A key revoked in this process stops at once; in another process, within five seconds.
    """

    def __init__(self, *, secret: bytes, environment: str) -> None:
        self._pepper = hmac.digest(secret, b"dunghan api key", hashlib.sha256)
        self._environment = ENVIRONMENTS[environment]
        self._known: dict[str, tuple[KeyRow, Principal, datetime]] = {}
        self._lock = threading.Lock()

    def digest(self, key: str) -> bytes:
        """Return what is kept of a key."""
        return hmac.digest(self._pepper, key.encode("ascii"), hashlib.sha256)

    def mint(self) -> str:
        """Return a new random key of this installation's environment."""
        body = f"dh_{self._environment}_{_letters(ID_LETTERS)}_{_letters(RANDOM_LETTERS)}"
        return body + checksum(body)

    def remember(self, row: KeyRow, *, now: datetime) -> None:
        """Keep a row for five seconds."""
        with self._lock:
            if len(self._known) >= CACHE_SIZE:
                self._known.clear()
            self._known[row.prefix] = (row, _principal(row), now)

    def recall(self, prefix: str, *, now: datetime) -> tuple[KeyRow, Principal] | None:
        """Return a row read within the last five seconds, and whose key it is."""
        with self._lock:
            known = self._known.get(prefix)
        if known is None or not timedelta(0) <= now - known[2] < CACHE_FOR:
            return None
        return known[:2]

    def forget(self, prefix: str) -> None:
        """Drop what is remembered of a key."""
        with self._lock:
            self._known.pop(prefix, None)


def checksum(body: str) -> str:
    """Return six letters that follow from the rest of a key (CRC-32 in base 62)."""
    number = binascii.crc32(body.encode("ascii"))
    letters = ""
    for _ in range(CHECK_LETTERS):
        number, digit = divmod(number, len(ALPHABET))
        letters = ALPHABET[digit] + letters
    return letters


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))


def prefix_of(key: str) -> str | None:
    """Return the public prefix of a well-formed key, None for anything else."""
    if not _KEY.fullmatch(key) or checksum(key[:-CHECK_LETTERS]) != key[-CHECK_LETTERS:]:
        return None
    return key.rpartition("_")[0]


def recall(keyring: Keyring, key: str, *, now: datetime) -> Principal | None:
    """Return who holds a key, if that was read from the database within the last five seconds."""
    known = keyring.recall(key.rpartition("_")[0], now=now)
    if known is None:
        return None
    row, who = known
    return who if _fits(keyring, key, row) and is_live(row, now=now) else None


def authenticate(session: ReadSession, keyring: Keyring, key: str, *, now: datetime) -> Principal:
    """Return who holds a key.

    :raises Unauthenticated: malformed, unknown, wrong, expired, revoked or of another environment.
    """
    prefix = prefix_of(key)
    row = None if prefix is None else access.find_key(session, prefix)
    if not _fits(keyring, key, row) or row is None or not is_live(row, now=now):
        raise Unauthenticated
    keyring.remember(row, now=now)
    return _principal(row)


def _fits(keyring: Keyring, key: str, row: KeyRow | None) -> bool:
    """Compare in constant time, on the same path whether the key is unknown or wrong."""
    told = keyring.digest(key) if key.isascii() else _NOBODY
    return hmac.compare_digest(told, _NOBODY if row is None else row.digest) and row is not None


def holder(session: ReadSession, prefix: str, *, now: datetime) -> Principal:
    """Return who holds the key of a public prefix, for a door that proved the key before.

    :raises Unauthenticated: unknown, expired or revoked.
    """
    row = access.find_key(session, prefix)
    if row is None or not is_live(row, now=now):
        raise Unauthenticated
    return _principal(row)


def _principal(row: KeyRow) -> Principal:
    return Principal(
        key_id=row.id,
        prefix=row.prefix,
        name=row.name,
        source_id=row.source_id,
        source_code=row.source_code,
        unit_id=row.unit_id,
        unit_code=row.unit_code,
        lft=row.lft,
        rgt=row.rgt,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
    )


def is_live(row: KeyRow, *, now: datetime) -> bool:
    """Tell whether a key is neither revoked nor expired."""
    return row.revoked_at is None and (row.expires_at is None or now < row.expires_at)


def needs_touch(keyring: Keyring, principal: Principal, *, now: datetime) -> bool:
    """Tell whether the use of a key is to be noted: once a minute."""
    known = keyring.recall(principal.prefix, now=now)
    if known is None:
        return False
    used_at = known[0].last_used_at
    return used_at is None or used_at < now - USE_GRAIN


def touch(session: WriteSession, keyring: Keyring, principal: Principal, *, now: datetime) -> None:
    """Note that a key is in use, at the grain of a minute."""
    access.touch_key(session, principal.key_id, now=now, grain=now - USE_GRAIN)
    known = keyring.recall(principal.prefix, now=now)
    if known is not None:
        keyring.remember(replace(known[0], last_used_at=now), now=now)


def issue_key(
    session: WriteSession,
    keyring: Keyring,
    *,
    name: str,
    source: str,
    unit: str | None,
    scopes: Iterable[str],
    actor: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a key for a source system and a subtree of units.

    :param unit: code of the root of the subtree; None for the whole installation.
    :param source: code of the source system, made when it is new.
    :param expires_at: when the key ends; None is for ever, and otherwise within 400 days.
    :raises UnitUnknown: no unit has this code.
    :raises ScopeUnknown: a scope does not exist.
    :raises ScopesEmpty: there is none.
    :raises ExpiryTooLate: it would live longer than 400 days.
    """
    wanted = _scopes(scopes)
    if expires_at is not None and expires_at > now + LONGEST:
        raise ExpiryTooLate(days=LONGEST.days)
    root = None if unit is None else units.get(session, unit)
    source_id, is_new = access.ensure_source(session, source, name=source)
    key = keyring.mint()
    prefix = key.rpartition("_")[0]
    access.add_key(
        session,
        prefix=prefix,
        digest=keyring.digest(key),
        name=name,
        source_id=source_id,
        unit_id=None if root is None else root.id,
        scopes=wanted,
        created_at=now,
        expires_at=expires_at,
    )
    audit.append(
        session,
        actor=actor,
        action="key.issue",
        subject=prefix,
        unit_id=None if root is None else root.id,
        after={"name": name, "source": source, "source_is_new": is_new, "scopes": list(wanted)},
    )
    return NewKey(
        key=key, prefix=prefix, source=source, unit=unit, scopes=wanted, expires_at=expires_at
    )


def _scopes(told: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(told))
    if not wanted:
        raise ScopesEmpty
    for scope in wanted:
        if scope not in tuple(Scope):
            raise ScopeUnknown(scope=scope, known=", ".join(Scope))
    return wanted


def list_keys(session: ReadSession) -> tuple[KeyRow, ...]:
    """Return every key, oldest first, without secrets."""
    return access.list_keys(session)


def revoke_key(
    session: WriteSession, keyring: Keyring, prefix: str, *, actor: str, now: datetime
) -> bool:
    """End a key now; tell whether it still lived.

    :raises KeyUnknown: no key has this prefix.
    """
    row = _get(session, prefix)
    keyring.forget(prefix)
    if not access.revoke_key(session, row.id, now=now):
        return False
    audit.append(session, actor=actor, action="key.revoke", subject=prefix, unit_id=row.unit_id)
    return True


def rotate_key(
    session: WriteSession,
    keyring: Keyring,
    prefix: str,
    *,
    overlap: timedelta,
    actor: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> NewKey:
    """Make a second key with the rights of the first, which ends after the overlap.

    :raises KeyUnknown: no living key has this prefix.
    """
    row = _get(session, prefix)
    if not is_live(row, now=now):
        raise KeyUnknown(prefix=prefix)
    fresh = issue_key(
        session,
        keyring,
        name=row.name,
        source=row.source_code,
        unit=row.unit_code,
        scopes=row.scopes,
        actor=actor,
        now=now,
        expires_at=expires_at,
    )
    access.expire_key(session, row.id, at=now + overlap)
    keyring.forget(prefix)
    audit.append(
        session,
        actor=actor,
        action="key.rotate",
        subject=prefix,
        unit_id=row.unit_id,
        after={"successor": fresh.prefix, "ends_at": (now + overlap).isoformat()},
    )
    return fresh


def _get(session: ReadSession, prefix: str) -> KeyRow:
    row = access.find_key(session, prefix)
    if row is None:
        raise KeyUnknown(prefix=prefix)
    return row
