"""Score sheets: entries appended to the sheet of a unit for a period under a rule set."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from app.domain.period import Period
from app.domain.rule_set import Round
from app.domain.sheet import Entry, EntryKind
from app.store.session import ReadSession, WriteSession
from app.store.tables import score_entry, unit

_ENTRIES = (
    sa.select(
        unit.c.code,
        score_entry.c.kind,
        score_entry.c.round,
        score_entry.c.body,
        score_entry.c.author,
        score_entry.c.actor,
        score_entry.c.recorded_at,
    )
    .join(unit, unit.c.id == score_entry.c.unit_id)
    .where(
        score_entry.c.rule_set == sa.bindparam("rule_set"),
        score_entry.c.first_on == sa.bindparam("first_on"),
        score_entry.c.last_on == sa.bindparam("last_on"),
        sa.or_(
            unit.c.lft.between(sa.bindparam("lft"), sa.bindparam("rgt")),
            unit.c.id == sa.any_(sa.bindparam("above", type_=ARRAY(sa.Integer))),
        ),
    )
    .order_by(score_entry.c.unit_id, score_entry.c.seq)
)
_AS_KNOWN = _ENTRIES.where(score_entry.c.recorded_at <= sa.bindparam("known_at"))


def entries(
    session: ReadSession,
    rule_set: str,
    period: Period,
    *,
    lft: int,
    rgt: int,
    above: Iterable[int] = (),
    known_at: datetime | None = None,
) -> dict[str, list[Entry]]:
    """Return the entries of every unit of a subtree by its code, each in the order of writing.

    :param above: units outside the subtree whose sheets are wanted too.
    """
    asked: dict[str, object] = {
        "rule_set": rule_set,
        "first_on": period.first,
        "last_on": period.last,
        "lft": lft,
        "rgt": rgt,
        "above": list(above),
    }
    if known_at is None:
        rows = session.execute(_ENTRIES, asked)
    else:
        rows = session.execute(_AS_KNOWN, asked | {"known_at": known_at})
    found: dict[str, list[Entry]] = {}
    for code, kind, named, body, author, actor, recorded_at in rows:
        entry = Entry(
            EntryKind(kind),
            body,
            actor,
            recorded_at,
            None if named is None else Round(named),
            author,
        )
        found.setdefault(code, []).append(entry)
    return found


def lock(session: WriteSession, unit_id: int, rule_set: str) -> None:
    """Let no other transaction write on the sheets of a unit under a rule set until this ends."""
    name = sa.func.hashtextextended(f"sheet {unit_id} {rule_set}", 0)
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))


def append(
    session: WriteSession, unit_id: int, rule_set: str, period: Period, added: Iterable[Entry]
) -> None:
    """Append entries to a sheet that is locked."""
    table = score_entry
    last = session.scalar(
        sa.select(sa.func.max(table.c.seq)).where(
            table.c.unit_id == unit_id,
            table.c.rule_set == rule_set,
            table.c.first_on == period.first,
            table.c.last_on == period.last,
        )
    )
    rows = [
        {
            "unit_id": unit_id,
            "rule_set": rule_set,
            "first_on": period.first,
            "last_on": period.last,
            "seq": (last or 0) + place,
            "kind": entry.kind.value,
            "round": None if entry.round is None else entry.round.value,
            "body": dict(entry.body),
            "author": entry.author,
            "actor": entry.actor,
            "recorded_at": entry.recorded_at,
        }
        for place, entry in enumerate(added, start=1)
    ]
    if rows:
        session.execute(sa.insert(table), rows)
