"""Evidence (tài liệu kiểm chứng): files by hash, checked by content, linked to lines of sheets."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from app.domain.errors import Invalid
from app.domain.faults import Fault
from app.domain.file_type import KINDS, FileType, safe_name, type_of
from app.store import audit, evidence, units
from app.store.evidence import EvidenceRow, EvidenceUnknown
from app.store.session import ReadSession, WriteSession
from app.store.units import UnitRow
from app.usecases.access import Principal
from app.usecases.subtree import unit_of

MOST_BYTES: Final = 10 * 2**20
PREFIX: Final = "sha256:"
_HASH: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)


@dataclass(eq=False, kw_only=True)
class EvidenceEmpty(Invalid):
    """The file holds nothing."""

    code: ClassVar[str] = "evidence.empty"


@dataclass(eq=False, kw_only=True)
class EvidenceTooBig(Invalid):
    """The file is larger than evidence may be."""

    code: ClassVar[str] = "evidence.too_big"
    limit: int


@dataclass(eq=False, kw_only=True)
class EvidenceKindRefused(Invalid):
    """By its content the file is none of the kinds that may be evidence."""

    code: ClassVar[str] = "evidence.kind_refused"
    kinds: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A file after it was put, and whether that was new."""

    row: EvidenceRow
    is_new: bool


def put(
    session: WriteSession, code: str, name: str, data: bytes, *, who: Principal, now: datetime
) -> Stored:
    """Keep a file for a unit; the same bytes again change nothing.

    :raises UnitUnknown: the unit is not within what the asker may see.
    :raises EvidenceEmpty: there are no bytes.
    :raises EvidenceTooBig: there are too many.
    :raises EvidenceKindRefused: the content is of no kind that may be evidence.
    """
    row = unit_of(session, who, code)
    if not data:
        raise EvidenceEmpty
    if len(data) > MOST_BYTES:
        raise EvidenceTooBig(limit=MOST_BYTES)
    kind = type_of(data)
    if kind is None:
        raise EvidenceKindRefused(kinds=", ".join(FileType))
    digest = PREFIX + hashlib.sha256(data).hexdigest()
    evidence.lock(session, row.id)
    held = evidence.find(session, row.id, digest)
    if held is not None:
        return Stored(held, is_new=False)
    evidence.add(
        session,
        row.id,
        digest=digest,
        name=safe_name(name, kind),
        media_type=KINDS[kind].media_type,
        data=data,
        actor=who.actor,
        now=now,
    )
    audit.append(
        session,
        actor=who.actor,
        action="evidence.put",
        subject=digest,
        unit_id=row.id,
        after={"size": len(data), "kind": kind.value},
    )
    made = evidence.find(session, row.id, digest)
    if made is None:
        raise RuntimeError("a file just stored is there")
    return Stored(made, is_new=True)


def get(session: ReadSession, told: str, *, who: Principal) -> EvidenceRow:
    """Return a file by its hash, if a unit that the asker may see holds it.

    :raises EvidenceUnknown: none does.
    """
    digest = read_hash(told)
    if digest is None:
        raise EvidenceUnknown(hash=told[:80])
    return evidence.within(session, digest, lft=who.lft, rgt=who.rgt)


def listed(
    session: ReadSession, *, lft: int, rgt: int, after: tuple[str, str] | None, limit: int
) -> list[EvidenceRow]:
    """List the files of a subtree by unit and hash, beginning after a position."""
    return evidence.listed(session, lft=lft, rgt=rgt, after=after, limit=limit)


def content(session: ReadSession, row: EvidenceRow) -> bytes:
    """Return the bytes of a file, checked against its hash.

    :raises RuntimeError: the bytes are not those that were stored.
    """
    data = b"".join(evidence.pieces(session, row))
    if PREFIX + hashlib.sha256(data).hexdigest() != row.hash:
        raise RuntimeError("stored evidence does not have its hash")
    return data


def read_hash(told: str) -> str | None:
    """Return a hash as it is kept, None for what is no hash."""
    found = _HASH.fullmatch(told.strip().lower())
    return None if found is None else PREFIX + found[1]


def linked(
    session: ReadSession,
    row: UnitRow,
    told: Mapping[str, Iterable[str]],
    leaves: Iterable[str],
) -> tuple[dict[str, list[str]], list[Fault]]:
    """Return the files told for lines of a sheet, and what is wrong with them.

    A file must be held by the unit or by one above it, so that whoever reads the sheet there may
    open it.
    """
    known = set(leaves)
    lineage = [one.id for one in units.ancestors(session, row)]
    read: dict[str, list[str]] = {}
    faults: list[Fault] = []
    for leaf, hashes in told.items():
        if leaf not in known:
            faults.append(Fault(f"/evidence/{leaf[:100]}", "input.unknown_leaf"))
            continue
        wanted = [read_hash(one) for one in hashes]
        have = evidence.held(session, lineage, [one for one in wanted if one is not None])
        read[leaf] = [one for one in wanted if one is not None]
        faults += [
            Fault(f"/evidence/{leaf}/{place}", "evidence.not_held")
            for place, one in enumerate(wanted)
            if one is None or one not in have
        ]
    return read, faults
