"""Under which signs dossiers are found that share a number, whichever source told it.

A sign is entered by an upsert: two transactions that bring the same number at the same time meet
at its row, so the later one sees the dossier of the earlier one. A sign is never taken away, for
a number that is no longer told still leads to dossiers that must be looked at again.
"""

from collections.abc import Iterable, Mapping

import orjson

from app.domain.sameness import MOST_NUMBERS, Key
from app.store.line import Rows
from app.store.session import Later, ReadSession, WriteSession

Holders = Mapping[str, frozenset[Key]]
"""The dossiers behind each sign."""

MOST_HOLDERS = MOST_NUMBERS + 1
"""Behind a sign so many dossiers show that it is no number of one dossier; no more are kept."""

_ENTER = b"""
    WITH entered AS (
        INSERT INTO number (sign, holders)
        SELECT r.sign, r.holders
          FROM json_to_recordset($1::json) AS r(sign text, holders text[])
         ORDER BY r.sign
        ON CONFLICT (sign) DO UPDATE
           SET holders = ARRAY(SELECT DISTINCT h
                                 FROM unnest(number.holders || EXCLUDED.holders) AS u(h)
                                ORDER BY h)
         WHERE cardinality(number.holders) < $2::int
        RETURNING sign, holders
    )
    SELECT sign, holders FROM entered WHERE cardinality(holders) > 1
    """

_LOOK = b"""
    SELECT n.sign, n.holders
      FROM json_array_elements_text($1::json) AS k(sign) JOIN number n ON n.sign = k.sign
    """


def holders(session: ReadSession, signs: Iterable[str]) -> Later[Holders]:
    """Look up the dossiers behind each sign that is known."""
    return session.later(_holders, _LOOK, orjson.dumps(sorted(set(signs))))


def enter(session: WriteSession, entries: Mapping[str, Iterable[Key]]) -> Later[Holders]:
    """Enter dossiers under signs and look up all behind those signs that several share.

    The signs stay locked until the transaction ends, in one order for all writers. A sign that
    has ``MOST_HOLDERS`` already takes none; one that is entered for no dossier is locked alone.
    """
    rows = [
        {
            "sign": sign,
            "holders": [f"{source}:{code}" for source, code in sorted(set(entries[sign]))][
                :MOST_HOLDERS
            ],
        }
        for sign in sorted(entries)
    ]
    return session.later(_holders, _ENTER, orjson.dumps(rows), MOST_HOLDERS)


def missing(session: ReadSession, entries: Mapping[str, Iterable[Key]]) -> set[Key]:
    """Return the dossiers that are not found under one of their signs."""
    known = holders(session, entries).get()
    return {
        key
        for sign, keys in entries.items()
        for key in keys
        if key not in known.get(sign, ()) and len(known.get(sign, ())) < MOST_HOLDERS
    }


def _holders(rows: Rows) -> Holders:
    return {sign: _keys(told) for sign, told in rows}


def _keys(told: Iterable[str]) -> frozenset[Key]:
    return frozenset((int(source), code) for source, code in (one.split(":", 1) for one in told))
