"""Registers that units keep by hand: every state of every entry, the last of which holds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import text

from app.store.session import ReadSession, WriteSession


class Register(StrEnum):
    """Which register."""

    PUBLICATION = "publication"
    """Procedures made public; the code is that of the procedure."""
    PETITION = "petition"
    """Petitions; the code is their number at the unit."""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """The state of one entry: whose, under which code, and what was told by whom and when."""

    unit_id: int
    unit: str
    code: str
    seq: int
    spec: Mapping[str, Any]
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A state of an entry to be kept."""

    unit_id: int
    code: str
    seq: int
    spec: Mapping[str, Any]


_LATEST = """
    SELECT DISTINCT ON (u.lft, e.code) e.unit_id, u.code AS unit, e.code, e.seq, e.spec, e.actor,
           e.recorded_at
      FROM register_entry e JOIN unit u ON u.id = e.unit_id
     WHERE e.register = :register AND u.lft BETWEEN :lft AND :rgt
       AND e.recorded_at <= coalesce(CAST(:known_at AS timestamptz), 'infinity'){more}
     ORDER BY u.lft, e.code, e.seq DESC"""
_BEHIND = " AND (u.lft, e.code) > (:after_lft, :after_code)"


def latest(
    session: ReadSession, register: Register, *, lft: int, rgt: int, known_at: datetime | None
) -> list[EntryRow]:
    """Return the entries of the units of a subtree, each as it was told last by a moment."""
    return _rows(session, _LATEST.format(more=""), register, lft, rgt, known_at)


def page(
    session: ReadSession,
    register: Register,
    *,
    lft: int,
    rgt: int,
    known_at: datetime | None,
    after: tuple[int, str] | None,
    limit: int,
) -> list[EntryRow]:
    """Return entries in the order of units and codes, behind a (lft of the unit, code)."""
    more = "" if after is None else _BEHIND
    behind = {} if after is None else {"after_lft": after[0], "after_code": after[1]}
    statement = f"{_LATEST.format(more=more)} LIMIT :limit"
    return _rows(session, statement, register, lft, rgt, known_at, limit=limit, **behind)


def _rows(
    session: ReadSession,
    statement: str,
    register: Register,
    lft: int,
    rgt: int,
    known_at: datetime | None,
    **more: object,
) -> list[EntryRow]:
    parameters = {"register": register, "lft": lft, "rgt": rgt, "known_at": known_at, **more}
    return [EntryRow(**row) for row in session.execute(text(statement), parameters).mappings()]


def hold(session: WriteSession, register: Register) -> None:
    """Let one writer of a register work at a time, until the transaction ends."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('register'), hashtext(:register))"),
        {"register": register},
    )


def known(
    session: ReadSession, register: Register, keys: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], EntryRow]:
    """Return the last state of some entries, by (unit, code)."""
    wanted = sorted(set(keys))
    rows = session.execute(
        text(
            "SELECT DISTINCT ON (e.unit_id, e.code) e.unit_id, u.code AS unit, e.code, e.seq,"
            " e.spec, e.actor, e.recorded_at FROM register_entry e JOIN unit u ON u.id = e.unit_id"
            " JOIN unnest(CAST(:units AS int[]), CAST(:codes AS text[])) AS k(unit_id, code)"
            " ON k.unit_id = e.unit_id AND k.code = e.code WHERE e.register = :register"
            " ORDER BY e.unit_id, e.code, e.seq DESC"
        ),
        {
            "register": register,
            "units": [key[0] for key in wanted],
            "codes": [key[1] for key in wanted],
        },
    )
    return {(row["unit_id"], row["code"]): EntryRow(**row) for row in rows.mappings()}


def add(
    session: WriteSession,
    register: Register,
    entries: Sequence[NewEntry],
    *,
    actor: str,
    now: datetime,
) -> None:
    """Keep new states of entries."""
    if not entries:
        return
    session.execute(
        text(
            "INSERT INTO register_entry (unit_id, register, code, seq, spec, actor, recorded_at)"
            " VALUES (:unit_id, :register, :code, :seq, CAST(:spec AS jsonb), :actor, :now)"
        ),
        [
            {
                "unit_id": one.unit_id,
                "register": register,
                "code": one.code,
                "seq": one.seq,
                "spec": orjson.dumps(one.spec).decode(),
                "actor": actor,
                "now": now,
            }
            for one in entries
        ],
    )
