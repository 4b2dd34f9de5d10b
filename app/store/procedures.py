"""Procedures as rows: what was told of them last, and every state before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from app.domain.errors import NotFound
from app.store.session import ReadSession, WriteSession
from app.store.tables import procedure, procedure_revision

_LOCK = 0x64_68_70_72


@dataclass(eq=False, kw_only=True)
class ProcedureUnknown(NotFound):
    """The catalogue has no procedure of this code."""

    code: ClassVar[str] = "procedure.unknown"
    procedure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureRow:
    """A procedure (thủ tục hành chính) as it stands; ``spec`` is what was told, as plain JSON."""

    id: int
    code: str
    name: str
    field: str | None
    level: str | None
    spec: Mapping[str, Any]
    revision: int
    recorded_at: datetime


_COLUMNS = (
    procedure.c.id,
    procedure.c.code,
    procedure.c.name,
    procedure.c.field,
    procedure.c.level,
    procedure.c.spec,
    procedure.c.revision,
    procedure.c.recorded_at,
)


def _rows(session: ReadSession, statement: sa.Select[Any]) -> tuple[ProcedureRow, ...]:
    return tuple(ProcedureRow(**row) for row in session.execute(statement).mappings())


def by_code(session: ReadSession, codes: Iterable[str]) -> dict[str, ProcedureRow]:
    """Return the procedures that have these codes."""
    wanted = sa.any_(sa.bindparam("codes", list(codes), type_=ARRAY(sa.Text)))
    found = _rows(session, sa.select(*_COLUMNS).where(procedure.c.code == wanted))
    return {row.code: row for row in found}


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """One state of a procedure, and since when it was known."""

    procedure_id: int
    code: str
    recorded_at: datetime
    spec: Mapping[str, Any]


def revisions_of(session: ReadSession, codes: Iterable[str]) -> dict[str, list[RevisionRow]]:
    """Return every state of the procedures that have these codes, oldest first."""
    wanted = sa.any_(sa.bindparam("codes", list(codes), type_=ARRAY(sa.Text)))
    rows = session.execute(
        sa.select(
            procedure_revision.c.procedure_id,
            procedure.c.code,
            procedure_revision.c.recorded_at,
            procedure_revision.c.spec,
        )
        .join(procedure, procedure.c.id == procedure_revision.c.procedure_id)
        .where(procedure.c.code == wanted)
        .order_by(procedure_revision.c.procedure_id, procedure_revision.c.seq)
    )
    found: dict[str, list[RevisionRow]] = {}
    for row in rows.mappings():
        found.setdefault(row["code"], []).append(RevisionRow(**row))
    return found


def by_id(session: ReadSession, ids: Iterable[int]) -> dict[int, ProcedureRow]:
    """Return the procedures that have these numbers."""
    wanted = sa.any_(sa.bindparam("ids", list(ids), type_=ARRAY(sa.Integer)))
    found = _rows(session, sa.select(*_COLUMNS).where(procedure.c.id == wanted))
    return {row.id: row for row in found}


def get(session: ReadSession, code: str) -> ProcedureRow:
    """Return the procedure of a code.

    :raises ProcedureUnknown: there is none.
    """
    found = by_code(session, [code]).get(code)
    if found is None:
        raise ProcedureUnknown(procedure=code)
    return found


def page(
    session: ReadSession,
    *,
    after: str | None,
    limit: int,
    field: str | None = None,
    level: str | None = None,
) -> tuple[ProcedureRow, ...]:
    """Return procedures by code, beginning after a code."""
    statement = sa.select(*_COLUMNS)
    if after is not None:
        statement = statement.where(procedure.c.code.collate("C") > after)
    if field is not None:
        statement = statement.where(procedure.c.field == field)
    if level is not None:
        statement = statement.where(procedure.c.level == level)
    return _rows(session, statement.order_by(procedure.c.code.collate("C")).limit(limit))


def lock(session: WriteSession) -> None:
    """Let no other transaction change procedures until this one ends."""
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def put(
    session: WriteSession,
    specs: Mapping[str, Mapping[str, Any]],
    *,
    revisions: Mapping[str, int],
    actor: str,
    now: datetime,
) -> None:
    """Write procedures, new or changed, and append each as the next revision of its code.

    :param specs: what was told, by code; its members that are columns are written there too.
    :param revisions: the revision each one gets, by code; 1 is a new procedure.
    """
    rows: Sequence[dict[str, Any]] = [
        {
            "code": code,
            "name": spec["name"],
            "field": spec.get("field"),
            "field_name": spec.get("field_name"),
            "level": spec.get("level"),
            "online_level": spec.get("online_level"),
            "spec": dict(spec),
            "revision": revisions[code],
            "recorded_at": now,
        }
        for code, spec in specs.items()
    ]
    fresh = [row for row in rows if row["revision"] == 1]
    if fresh:
        session.execute(sa.insert(procedure), fresh)
    changed = [{**row, "which": row["code"]} for row in rows if row["revision"] > 1]
    if changed:
        names = [name for name in changed[0] if name not in {"code", "which"}]
        session.execute(
            sa.update(procedure)
            .where(procedure.c.code == sa.bindparam("which"))
            .values({name: sa.bindparam(f"to_{name}") for name in names}),
            [
                {"which": row["which"], **{f"to_{name}": row[name] for name in names}}
                for row in changed
            ],
        )
    known = by_code(session, specs)
    if known:
        session.execute(
            sa.insert(procedure_revision),
            [
                {
                    "procedure_id": known[code].id,
                    "seq": revisions[code],
                    "recorded_at": now,
                    "spec": dict(spec),
                    "actor": actor,
                }
                for code, spec in specs.items()
            ],
        )
