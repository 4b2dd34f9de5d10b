"""Dossiers: where they live, what was told of them, and what is believed of them now.

The statements of ingest hand whole batches to the server as JSON: the driver then has one value
to send, and the order of rows is the same for every writer. They run straight on the driver, in the
portable order that a distributed PostgreSQL allows too: read, compute, claim by version, write for
those who won.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import psycopg
from msgspec.json import Encoder
from sqlalchemy import Result, text

from app.domain import sameness
from app.domain.canonical import from_plain
from app.domain.record import Heard, Message, MessageKind
from app.domain.sameness import Relation
from app.domain.values import immutable
from app.store.line import Rows
from app.store.session import Later, ReadSession, WriteSession

Key = sameness.Key
"""A dossier as its sender knows it: (source, code)."""


@immutable
class Located:
    """Where a dossier's record lives, who holds it now, and its version."""

    home_unit_id: int
    unit_id: int
    version: int


@immutable
class Claim:
    """The wish to write the next version of a dossier; ``seen`` is the version that was read.

    A claim that does not write only holds the dossier as it was read until the transaction ends.
    """

    source_id: int
    code: str
    home_unit_id: int
    unit_id: int
    seen: int
    writes: bool = True


_Row = tuple[Any, ...]
"""A message as it is stored, see ``_RECORDS``; what was told of it is JSON text."""


class Kept:
    """The record of one dossier: its messages in order of arrival and the last place used.

    What each told is read when the messages are asked for: whether one was heard before shows
    without that.
    """

    __slots__ = ("_messages", "_rows")

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._messages: tuple[Message, ...] | None = None

    def add(self, row: _Row) -> None:
        """Add the message that arrived next."""
        self._rows.append(row)

    @property
    def last_seq(self) -> int:
        """Return the last place used."""
        return int(self._rows[-1][2])

    @property
    def heard(self) -> list[Heard]:
        """Return what tells the messages from others."""
        return [(kind, digest, at) for _, _, _, kind, _, at, _, digest, _, _, _ in self._rows]

    @property
    def messages(self) -> tuple[Message, ...]:
        """Return the messages in order of arrival."""
        if self._messages is None:
            self._messages = tuple([_message(row) for row in self._rows])
        return self._messages


def _message(row: _Row) -> Message:
    _, _, _, kind, at, updated_at, stamped, digest, told, recorded_at, root = row
    return Message(
        _KINDS[kind],
        at,
        updated_at,
        digest,
        recorded_at,
        from_plain(orjson.loads(told)),
        stamped,
        root,
    )


_KINDS: Final = {one.value: one for one in MessageKind}


_json: Final[Callable[[Sequence[Mapping[str, Any]]], bytes]] = Encoder().encode


def _json_keys(keys: Iterable[Key]) -> bytes:
    return _json([{"source_id": key[0], "code": key[1]} for key in sorted(set(keys))])


def _count(rows: Rows) -> int:
    return int(rows[0][0])


_KEYED: Final = "json_to_recordset($1::json) AS k(source_id int, code text)"


_BY_KEYS = b"""
    SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
           set_config('enable_mergejoin', 'off', true)
    """


def expect_keys(session: WriteSession) -> None:
    """Let the statements of this transaction look up by key, however small the tables are.

    While tables are new and were never analysed, the plans that a connection keeps would read them
    from end to end, and go on so while they grow.
    """
    session.send(_BY_KEYS)


_LOCATE = (
    "SELECT l.source_id, l.code, l.home_unit_id, l.unit_id, l.version"
    f" FROM {_KEYED} JOIN locator l ON l.source_id = k.source_id AND l.code = k.code"
).encode()


def locate(session: ReadSession, keys: Iterable[Key]) -> dict[Key, Located]:
    """Return where each known dossier lives."""
    return sought(session, keys).get()


def sought(session: ReadSession, keys: Iterable[Key]) -> Later[dict[Key, Located]]:
    """Look up where each known dossier lives."""
    return session.later(_located, _LOCATE, _json_keys(keys))


def _located(rows: Rows) -> dict[Key, Located]:
    return {
        (source, code): Located(home, unit, version) for source, code, home, unit, version in rows
    }


_RECORDS = b"""
    SELECT r.source_id, r.code, r.seq, r.kind, r.at, r.source_updated_at, r.stamped,
           r.digest, r.told::text, r.recorded_at, r.root_unit_id
      FROM json_to_recordset($1::json) AS k(unit_id int, source_id int, code text)
      JOIN dossier_record r
        ON r.unit_id = k.unit_id AND r.source_id = k.source_id AND r.code = k.code
     ORDER BY r.source_id, r.code, r.seq
    """


def records(session: ReadSession, located: Mapping[Key, Located]) -> dict[Key, Kept]:
    """Return what was told of each dossier, in order of arrival."""
    if not located:
        return {}
    homes = [
        {"unit_id": place.home_unit_id, "source_id": key[0], "code": key[1]}
        for key, place in located.items()
    ]
    found: dict[Key, Kept] = {}
    for row in session.ask(_RECORDS, _json(homes)):
        key = (row[0], row[1])
        if key not in found:
            found[key] = Kept()
        found[key].add(row)
    return found


_CLAIM = b"""
    WITH claimed AS (
    INSERT INTO locator (source_id, code, home_unit_id, unit_id, version)
    SELECT r.source_id, r.code, r.home_unit_id, r.unit_id, r.seen + 1
      FROM json_to_recordset($1::json)
        AS r(source_id int, code text, home_unit_id int, unit_id int, seen int)
     ORDER BY r.source_id, r.code COLLATE "C"
    ON CONFLICT (source_id, code) DO UPDATE
       SET unit_id = CASE EXCLUDED.unit_id WHEN 0 THEN locator.unit_id ELSE EXCLUDED.unit_id END,
           version = locator.version + CASE EXCLUDED.unit_id WHEN 0 THEN 0 ELSE 1 END
     WHERE locator.version = EXCLUDED.version - 1
    RETURNING 1
    )
    SELECT count(*) FROM claimed
    """


class Claimed:
    """How many claims were won, known once everything that was sent with them has been tried."""

    __slots__ = ("_answer", "_number")

    def __init__(self, answer: Later[int], number: int) -> None:
        self._answer = answer
        self._number = number

    def won(self) -> int:
        """Return how many dossiers were still as they were read."""
        try:
            return self._answer.get()
        except psycopg.IntegrityError:
            if not self.is_lost:
                raise
            return self._answer.get()

    def are_won(self) -> bool:
        """Tell whether every dossier was still as it was read.

        :raises psycopg.IntegrityError: what was written failed, though no claim was lost before.
        """
        return self.won() == self._number

    @property
    def is_lost(self) -> bool:
        """Tell whether another writer is known to have been there first.

        What was written on top of the claims may then have failed.
        """
        return self._answer.is_known and self._answer.get() < self._number


def claim(session: WriteSession, claims: Iterable[Claim]) -> Claimed:
    """Take the next version of each dossier that is still as it was read.

    The rows are locked in one order for all writers, also those that were lost: that of keys in
    Python, whatever the collation of the database. The unit that holds a dossier is that of the
    claim, until it is handed over.
    """
    rows = [
        {
            "source_id": one.source_id,
            "code": one.code,
            "home_unit_id": one.home_unit_id,
            "unit_id": one.unit_id if one.writes else 0,  # no unit has this number
            "seen": one.seen,
        }
        for one in sorted(claims, key=lambda one: (one.source_id, one.code))
    ]
    return Claimed(session.later(_count, _CLAIM, _json(rows)), len(rows))


_NEVER: Final = 2**31 - 2
"""A version that no dossier reaches."""


def lock(session: WriteSession, keys: Iterable[Key]) -> None:
    """Keep other writers off dossiers that are known, in the order in which all lock them.

    It asks for a version that no dossier has: the rows are locked and stay as they are.
    """
    claim(session, [Claim(*key, 0, 0, _NEVER, writes=False) for key in keys])


_HAND_OVER = b"""
    UPDATE locator l SET unit_id = k.unit_id
      FROM json_to_recordset($1::json) AS k(source_id int, code text, unit_id int)
     WHERE l.source_id = k.source_id AND l.code = k.code
    """


def hand_over(session: WriteSession, holders: Mapping[Key, int]) -> None:
    """Note which units hold dossiers from now on that the transaction has claimed."""
    if holders:
        rows = [
            {"source_id": key[0], "code": key[1], "unit_id": unit} for key, unit in holders.items()
        ]
        session.send(_HAND_OVER, _json(rows))


_APPEND = b"""
    INSERT INTO dossier_record (unit_id, source_id, code, seq, kind, at, source_updated_at,
                                stamped, digest, stale, told, key_id, root_unit_id,
                                recorded_at)
    SELECT unit_id, source_id, code, seq, coalesce(kind, 'record'),
           coalesce(at, source_updated_at), source_updated_at, coalesce(stamped, true), digest,
           coalesce(stale, false), told, $2::int, $3::int, $4::timestamptz
      FROM json_to_recordset($1::json)
        AS r(unit_id int, source_id int, code text, seq int, kind text, at timestamptz,
             source_updated_at timestamptz, stamped boolean, digest text, stale boolean,
             told jsonb)
    """


def append(
    session: WriteSession,
    rows: Sequence[Mapping[str, Any]],
    *,
    key_id: int | None,
    root_unit_id: int,
    now: datetime,
) -> None:
    """Add messages to the record, told with a key to the unit that is its root.

    Each row has the columns of ``dossier_record`` that differ among them; ``told`` is what was told
    as canonical JSON text. A ``kind``, ``at``, ``stamped`` or ``stale`` that is left out is that of
    fresh news by a snapshot, which most are: at the moment of its stamp.
    """
    if rows:
        told = orjson.dumps(rows, default=orjson.Fragment)
        session.send(_APPEND, told, key_id, root_unit_id, now.isoformat())


_CLOCK_TYPES = {
    "due_on": "date",
    "due_at": "timestamptz",
    "early_before": "timestamptz",
    "on_time_until": "timestamptz",
    "edge_at": "timestamptz[]",
    "edge_state": "smallint[]",
    "edge_flow": "smallint[]",
    "edge_due": "date[]",
    "edge_days": "smallint[]",
}
_DOSSIER_TYPES = {
    "unit_id": "int",
    "source_id": "int",
    "code": "text",
    "unit_lft": "bigint",
    "home_unit_id": "int",
    "version": "int",
    "recorded_at": "timestamptz",
    "first_recorded_at": "timestamptz",
    "source_updated_at": "timestamptz",
    "is_current": "boolean",
    "is_open": "boolean",
    "is_leg": "boolean",
    "is_counted": "boolean",
    "same_as": "jsonb",
    "procedure_id": "int",
    "procedure_told": "text",
    "unit_told": "text",
    "case": "text",
    "channel": "text",
    "applicant_type": "text",
    "applicant_hash": "text",
    "parent": "text",
    "leg": "text",
    "other_codes": "text[]",
    "official": "text",
    "status": "text",
    "outcome": "text",
    "submitted_at": "timestamptz",
    "received_at": "timestamptz",
    "clock_start_at": "timestamptz",
    "finished_at": "timestamptz",
    "ended_at": "timestamptz",
    "returned_at": "timestamptz",
    "return_method": "text",
    "place_independent": "boolean",
    "paid_online": "boolean",
    "digitised": "boolean",
    "contacts": "int",
    "bodies_contacted": "int",
    "founded_complaints": "int",
    "limit_kind": "text",
    "online_level": "text",
    "due_origin": "text",
    "is_provisional": "boolean",
    "apology_at": "timestamptz",
    "apology_exempt": "boolean",
    "issues": "text[]",
    "overlong_at": "timestamptz",
    "supplement_at": "timestamptz[]",
    **_CLOCK_TYPES,
}
_KEYS = ("unit_id", "source_id", "code")

_LEFT_OUT = {
    "home_unit_id": "unit_id",
    "is_current": "true",
    "is_leg": "false",
    "is_counted": "true",
    "same_as": "'[]'",
    "other_codes": "'{}'",
    "place_independent": "false",
    "is_provisional": "false",
    "apology_exempt": "false",
    "issues": "'{}'",
    "supplement_at": "'{}'",
    "edge_days": "'{}'",
}
"""What a column is of which a row says nothing; what is not here is then null.

To read a value from JSON costs as much as to store it, so rows say only what is out of the common.
"""


def _recordset(types: Mapping[str, str]) -> str:
    return ", ".join(f'"{name}" {kind}' for name, kind in types.items())


def _columns(types: Mapping[str, str]) -> str:
    return ", ".join(f'"{name}"' for name in types)


def _said(types: Mapping[str, str], meant: Mapping[str, str] = _LEFT_OUT) -> str:
    """Return the columns of a recordset with what is meant where nothing is said."""
    return ", ".join(
        f'coalesce("{name}", {meant[name]})' if name in meant else f'"{name}"' for name in types
    )


_NEWS = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in _DOSSIER_TYPES if name not in _KEYS)


_NOW: Final = "$2::timestamptz"
_WRITTEN_NOW: Final = {**_LEFT_OUT, "recorded_at": _NOW, "first_recorded_at": _NOW}


def _putting(conflict: str) -> bytes:
    return f"""
    WITH written AS (
        INSERT INTO dossier ({_columns(_DOSSIER_TYPES)})
        SELECT {_said(_DOSSIER_TYPES, _WRITTEN_NOW)} FROM json_to_recordset($1::json)
            AS r({_recordset(_DOSSIER_TYPES)})
         ORDER BY source_id, code, unit_id
        {conflict}
        RETURNING unit_id, source_id, code, version, recorded_at
    )
    INSERT INTO dossier_change (unit_id, source_id, code, version, sign, recorded_at)
    SELECT unit_id, source_id, code, version, 1, recorded_at FROM written
    """.encode()


_ADD = _putting("")
_PUT = _putting(f"ON CONFLICT (unit_id, source_id, code) DO UPDATE SET {_NEWS}")

_READING_TYPES = {
    "unit_id": "int",
    "source_id": "int",
    "code": "text",
    "reading": "text",
    **_CLOCK_TYPES,
}

_PUT_READINGS = f"""
    INSERT INTO dossier_reading ({_columns(_READING_TYPES)})
    SELECT {_said(_READING_TYPES)} FROM json_to_recordset($1::json)
        AS r({_recordset(_READING_TYPES)})
    """.encode()

_OLD: Final = "json_to_recordset($1::json) AS k(unit_id int, source_id int, code text)"

RENUMBERED_SINCE: Final = (
    f"jsonb_path_exists(d.same_as, 'strict $[*] ? (@[2] == \"{Relation.NEWER_NUMBER}\")')"
)
"""Tells of a dossier ``d`` that its source has given it another number."""

_REMEMBER = f"""
    WITH superseded AS (
    INSERT INTO dossier_past (unit_id, source_id, code, version, recorded_at, superseded_at,
        unit_lft, procedure_id, channel, applicant_type, limit_kind, online_level, return_method,
        returned_at, is_leg, is_counted, apology_at, apology_exempt, supplement_at, edge_at,
        edge_state, edge_flow, edge_due, edge_days, clock_start_at, issues, overlong_at, readings)
    SELECT d.unit_id, d.source_id, d.code, d.version, d.recorded_at, $2::timestamptz,
        d.unit_lft, d.procedure_id, d.channel, d.applicant_type, d.limit_kind, d.online_level,
        d.return_method, d.returned_at, d.is_leg AND NOT {RENUMBERED_SINCE}, d.is_counted,
        d.apology_at, d.apology_exempt,
        d.supplement_at, d.edge_at, d.edge_state, d.edge_flow, d.edge_due, d.edge_days,
        d.clock_start_at, d.issues, d.overlong_at,
        coalesce((SELECT jsonb_object_agg(r.reading, jsonb_build_object(
                      'edge_at', r.edge_at, 'edge_state', r.edge_state,
                      'edge_flow', r.edge_flow, 'edge_due', r.edge_due,
                      'edge_days', r.edge_days))
                    FROM dossier_reading r
                   WHERE r.unit_id = d.unit_id AND r.source_id = d.source_id
                     AND r.code = d.code), '{{}}')
      FROM {_OLD} JOIN dossier d
        ON d.unit_id = k.unit_id AND d.source_id = k.source_id AND d.code = k.code
    RETURNING unit_id, source_id, code, version, recorded_at
    ), forgotten AS (
    DELETE FROM dossier_reading r USING {_OLD}
     WHERE k.unit_id = r.unit_id AND k.source_id = r.source_id AND k.code = r.code
    )
    INSERT INTO dossier_change (unit_id, source_id, code, version, sign, recorded_at)
    SELECT unit_id, source_id, code, version, -1, recorded_at FROM superseded
    """.encode()
"""Keeps what was believed of dossiers, other readings too, and forgets these where they stood."""

_LEAVE = (
    f"DELETE FROM dossier d USING {_OLD}"
    " WHERE k.unit_id = d.unit_id AND k.source_id = d.source_id AND k.code = d.code"
).encode()


def remember(
    session: WriteSession, replaced: Mapping[Key, Iterable[int]], *, now: datetime
) -> None:
    """Keep what was believed of dossiers at the units where they stood, with its time.

    Their other readings are forgotten where they stood. Each version superseded leaves a row in
    ``dossier_change``, see ``store.facts``.
    """
    if replaced:
        session.send(_REMEMBER, _json_places(_stood(replaced)), now.isoformat())


def _stood(replaced: Mapping[Key, Iterable[int]]) -> set[tuple[int, int, str]]:
    return {(unit, *key) for key, units in replaced.items() for unit in units}


def put(
    session: WriteSession,
    *,
    rows: Sequence[Mapping[str, Any]],
    readings: Sequence[Mapping[str, Any]],
    replaced: Mapping[Key, Iterable[int]],
    now: datetime,
) -> None:
    """Store what is believed now.

    ``replaced`` tells at which units these dossiers stood before, which was remembered; where
    they are not among ``rows`` any more they are removed, for they never were at that unit. Each
    version written leaves a row in ``dossier_change``, see ``store.facts``. A row may leave out
    what is null or what ``_LEFT_OUT`` says, and ``first_recorded_at`` when that is now.
    """
    at = now.isoformat()
    again: Sequence[Mapping[str, Any]] = ()
    new = rows
    if replaced:
        again = [row for row in rows if (row["source_id"], row["code"]) in replaced]
        new = [row for row in rows if (row["source_id"], row["code"]) not in replaced]
        gone = _stood(replaced) - {(row["unit_id"], row["source_id"], row["code"]) for row in again}
        if gone:
            session.send(_LEAVE, _json_places(gone))
    if again:
        session.send(_PUT, _json(again), at)
    if new:  # there is nothing to look for
        session.send(_ADD, _json(new), at)
    if readings:
        session.send(_PUT_READINGS, _json(readings))


def _json_places(places: Collection[tuple[int, int, str]]) -> bytes:
    return _json([dict(zip(_KEYS, place, strict=True)) for place in sorted(set(places))])


_NOT_COMPARED = frozenset({"version", "recorded_at"})
_COMPARED = {name: kind for name, kind in _DOSSIER_TYPES.items() if name not in _NOT_COMPARED}


def _differing(table: str, types: Mapping[str, str]) -> str:
    columns = ", ".join(f't."{name}"' for name in types)
    stored = (
        f"SELECT {columns} FROM {table} t"
        " JOIN unnest(CAST(:sources AS int[]), CAST(:codes AS text[])) AS k(source_id, code)"
        " ON t.source_id = k.source_id AND t.code = k.code"
    )
    folded = (
        f"SELECT {_said(types)} FROM json_to_recordset(CAST(:rows AS json))"
        f" AS t({_recordset(types)})"
    )
    return (
        f"SELECT DISTINCT source_id, code FROM (({stored} EXCEPT {folded})"
        f" UNION ALL ({folded} EXCEPT {stored})) AS difference"
    )


_DIFFERING = (
    text(_differing("dossier", _COMPARED)),
    text(_differing("dossier_reading", _READING_TYPES)),
)


def differing(
    session: ReadSession,
    keys: Iterable[Key],
    *,
    rows: Sequence[Mapping[str, Any]],
    readings: Sequence[Mapping[str, Any]],
) -> set[Key]:
    """Return the dossiers whose stored rows are not those that were folded again."""
    wanted = sorted(set(keys))
    of = {"sources": [key[0] for key in wanted], "codes": [key[1] for key in wanted]}
    return {
        (row.source_id, row.code)
        for statement, folded in zip(_DIFFERING, (rows, readings), strict=True)
        for row in session.execute(statement, of | {"rows": _json(folded).decode()})
    }


def page_keys(session: ReadSession, *, after: Key | None, limit: int) -> list[Key]:
    """Return the keys of all dossiers in order, behind a key."""
    source, code = after or (0, "")
    rows = session.execute(
        text(
            "SELECT source_id, code FROM locator WHERE (source_id, code) > (:source, :code)"
            " ORDER BY source_id, code LIMIT :limit"
        ),
        {"source": source, "code": code, "limit": limit},
    )
    return [(row.source_id, row.code) for row in rows]


_PLACES = (
    f"SELECT d.source_id, d.code, d.unit_id FROM {_KEYED}"
    " JOIN dossier d ON d.source_id = k.source_id AND d.code = k.code"
).encode()


def places(session: ReadSession, keys: Iterable[Key]) -> Later[dict[Key, tuple[int, ...]]]:
    """Look up the units at which each dossier stands in the projection, in no order of time."""
    return session.later(_places, _PLACES, _json_keys(keys))


def _places(rows: Rows) -> dict[Key, tuple[int, ...]]:
    found: dict[Key, tuple[int, ...]] = {}
    for source, code, unit in rows:
        found[source, code] = (*found.get((source, code), ()), unit)
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """What a stored dossier says of those that are the same."""

    is_counted: bool
    same_as: tuple[tuple[int, str, str], ...]


_STANDINGS = (
    "SELECT DISTINCT d.source_id, d.code, d.is_counted, d.same_as"
    f" FROM {_KEYED} JOIN dossier d ON d.source_id = k.source_id AND d.code = k.code"
).encode()


def standings(session: ReadSession, keys: Iterable[Key]) -> dict[Key, Standing]:
    """Return what stored dossiers say of those that are the same."""
    return {
        (source, code): Standing(is_counted, tuple((*other,) for other in same))
        for source, code, is_counted, same in session.ask(_STANDINGS, _json_keys(keys))
    }


@dataclass(frozen=True, slots=True)
class Same:
    """Another dossier that is the same, or may be, and how."""

    source: str
    code: str
    relation: str


def same_as(session: ReadSession, key: Key, *, lft: int, rgt: int) -> tuple[Same, ...]:
    """Return the dossiers that are the same as one and stood within a subtree, by source."""
    rows = session.execute(
        text(
            "SELECT DISTINCT s.code AS source, o.code, w.word ->> 2 AS relation FROM dossier d"
            " CROSS JOIN LATERAL jsonb_array_elements(d.same_as) AS w(word)"
            " JOIN dossier o ON o.code = w.word ->> 1 AND o.source_id = CAST(w.word ->> 0 AS int)"
            " JOIN source s ON s.id = o.source_id"
            " WHERE d.source_id = :source AND d.code = :code AND d.is_current"
            " AND o.unit_lft BETWEEN :lft AND :rgt ORDER BY s.code, o.code"
        ),
        {"source": key[0], "code": key[1], "lft": lft, "rgt": rgt},
    )
    return tuple(Same(row.source, row.code, row.relation) for row in rows)


def linked(session: ReadSession, *, lft: int, rgt: int) -> list[Key]:
    """Return the dossiers of a subtree that share a number with others, in order."""
    rows = session.execute(
        text(
            "SELECT DISTINCT d.source_id, d.code FROM dossier d"
            " WHERE d.same_as <> '[]' AND d.unit_lft BETWEEN :lft AND :rgt"
            " ORDER BY d.source_id, d.code"
        ),
        {"lft": lft, "rgt": rgt},
    )
    return [(row.source_id, row.code) for row in rows]


def tellings(session: ReadSession, keys: Iterable[Key]) -> dict[Key, tuple[Message, ...]]:
    """Return what was told of each dossier under all its numbers, in order of arrival."""
    wanted = set(keys)
    lines = {
        key: {key, *((key[0], code) for _, code, what in one.same_as if what in _RENUMBERED)}
        for key, one in standings(session, wanted).items()
    }
    kept = records(session, locate(session, wanted.union(*lines.values())))
    found = {}
    for key in wanted & kept.keys():
        line = sorted(lines.get(key, {key}) & kept.keys())
        messages = [one for number in line for one in kept[number].messages]
        found[key] = tuple(sorted(messages, key=lambda one: one.recorded_at))
    return found


_RENUMBERED = frozenset({Relation.NEWER_NUMBER, Relation.FORMER_NUMBER})


_LEGS_OF = (
    f"SELECT d.source_id, d.code, d.parent FROM {_KEYED}"
    " JOIN dossier d ON d.source_id = k.source_id AND d.parent = k.code"
    " WHERE d.is_current AND NOT d.is_leg"
).encode()


def legs_of(session: ReadSession, parents: Iterable[Key]) -> Later[dict[Key, Key]]:
    """Look up the legs that name one of these as their parent and stand by themselves."""
    return session.later(
        lambda rows: {(source, code): (source, parent) for source, code, parent in rows},
        _LEGS_OF,
        _json_keys(parents),
    )


def open_computed(
    session: ReadSession, *, lft: int, rgt: int, procedures: Iterable[int] | None = None
) -> list[Key]:
    """Return the open dossiers of a subtree whose promise was computed, or could not be yet.

    ``procedures`` narrows to some procedures, None takes every one.
    """
    rows = session.execute(
        text(
            "SELECT d.source_id, d.code FROM dossier d WHERE d.is_current AND d.is_open"
            " AND d.due_origin <> 'told' AND d.unit_lft BETWEEN :lft AND :rgt"
            " AND (CAST(:procedures AS int[]) IS NULL OR d.procedure_id = ANY(:procedures))"
            " ORDER BY d.source_id, d.code"
        ),
        {"lft": lft, "rgt": rgt, "procedures": None if procedures is None else [*procedures]},
    )
    return [(row.source_id, row.code) for row in rows]


def open_told_not_computable(
    session: ReadSession, *, lft: int, rgt: int, procedures: Iterable[int] | None = None
) -> list[Key]:
    """Return the open dossiers of a subtree with a told promise that miss a year of the calendar.

    ``procedures`` narrows to some procedures, None takes every one.
    """
    rows = session.execute(
        text(
            "SELECT d.source_id, d.code FROM dossier d WHERE d.is_current AND d.is_open"
            " AND d.due_origin = 'told' AND 'due_not_computable' = ANY(d.issues)"
            " AND d.unit_lft BETWEEN :lft AND :rgt"
            " AND (CAST(:procedures AS int[]) IS NULL OR d.procedure_id = ANY(:procedures))"
            " ORDER BY d.source_id, d.code"
        ),
        {"lft": lft, "rgt": rgt, "procedures": None if procedures is None else [*procedures]},
    )
    return [(row.source_id, row.code) for row in rows]


def not_understood(session: ReadSession, procedures: Iterable[int]) -> list[Key]:
    """Return the dossiers that name one of these procedures and were read without it."""
    rows = session.execute(
        text(
            "SELECT DISTINCT d.source_id, d.code FROM dossier d"
            " JOIN procedure p ON p.code = d.procedure_told"
            " WHERE d.procedure_id IS NULL AND p.id = ANY(:procedures)"
            " ORDER BY d.source_id, d.code"
        ),
        {"procedures": [*procedures]},
    )
    return [(row.source_id, row.code) for row in rows]


def of_other_level(session: ReadSession, procedures: Iterable[int]) -> list[Key]:
    """Return the dossiers of some procedures that were read with another online level."""
    rows = session.execute(
        text(
            "SELECT DISTINCT d.source_id, d.code FROM dossier d"
            " JOIN procedure p ON p.id = d.procedure_id"
            " WHERE p.id = ANY(:procedures) AND d.online_level IS DISTINCT FROM p.online_level"
            " ORDER BY d.source_id, d.code"
        ),
        {"procedures": [*procedures]},
    )
    return [(row.source_id, row.code) for row in rows]


@dataclass(frozen=True, slots=True)
class Found:
    """A dossier as a reader meets it: its row now, with the names of its catalogue entries."""

    row: Mapping[str, Any]
    unit: str
    source: str
    procedure: str | None


_FIND = (
    "SELECT d.*, u.code AS unit_code, s.code AS source_code, p.code AS procedure_code"
    " FROM dossier d JOIN unit u ON u.id = d.unit_id JOIN source s ON s.id = d.source_id"
    " LEFT JOIN procedure p ON p.id = d.procedure_id"
)
_HERE = (
    "AND d.is_current AND d.unit_lft BETWEEN :lft AND :rgt"
    " AND (CAST(:source AS text) IS NULL OR s.code = :source)"
)


def find(
    session: ReadSession, code: str, *, lft: int, rgt: int, source: str | None = None
) -> list[Found]:
    """Return the dossiers of a code that a subtree holds now, one per source."""
    rows = session.execute(
        text(f"{_FIND} WHERE d.code = :code {_HERE} ORDER BY s.code"),
        {"code": code, "lft": lft, "rgt": rgt, "source": source},
    )
    return _found(rows)


def find_by_other(
    session: ReadSession, number: str, *, lft: int, rgt: int, source: str | None = None
) -> list[Found]:
    """Return the dossiers of a subtree that bear a number beside their own."""
    rows = session.execute(
        text(
            f"{_FIND} WHERE d.other_codes <> '{{}}' AND d.other_codes @> ARRAY[:code]"
            f" {_HERE} ORDER BY s.code, d.code"
        ),
        {"code": number, "lft": lft, "rgt": rgt, "source": source},
    )
    return _found(rows)


def _found(rows: Result[*tuple[Any, ...]]) -> list[Found]:
    return [
        Found(dict(row), row["unit_code"], row["source_code"], row["procedure_code"])
        for row in rows.mappings()
    ]
