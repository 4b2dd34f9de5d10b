"""Keep the facts: fold what is new into them, count every dossier anew, mend what differs.

Facts are derived from the rows of dossiers. At each moment facts and log together must give what
those rows give; a difference is a bug, or a number that somebody changed by hand.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.store import folding
from app.store.folding import Difference
from app.store.session import ReadSession, WriteSession

VERSIONS_AT_ONCE: Final = 4_000
"""How much of the log one transaction folds: a second's work or so."""

DOSSIERS_AT_ONCE: Final = 20_000
MOST_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class Recounted:
    """What a recount found: units looked at, numbers that differ, the first 100, and their units.

    ``waiting`` are the versions of dossiers in the log, which were taken into account.
    """

    units: int
    waiting: int
    differ: int
    named: tuple[Difference, ...]
    batches: tuple[tuple[int, ...], ...]


def fold_some(session: WriteSession) -> bool:
    """Fold the next part of the log; tell whether more may be waiting for this folder."""
    folded = folding.fold(session, limit=VERSIONS_AT_ONCE)
    return folded is not None and folded >= VERSIONS_AT_ONCE


def compare(session: ReadSession, *, progress: Callable[[int], None] = lambda _: None) -> Recounted:
    """Count every dossier anew and compare with the facts and their log; nothing is changed."""
    seen, differ = 0, 0
    named: list[Difference] = []
    wrong: list[tuple[int, ...]] = []
    for batch in batches(session):
        found = folding.compare(session, batch)
        differ += len(found)
        named += found[: MOST_NAMED - len(named)]
        wrong += [tuple(batch)] if found else []
        seen += len(batch)
        progress(seen)
    return Recounted(seen, folding.waiting(session), differ, tuple(named), tuple(wrong))


def batches(session: ReadSession) -> Iterator[Sequence[int]]:
    """Return all units in batches of bounded size."""
    return folding.unit_batches(session, dossiers=DOSSIERS_AT_ONCE)


def build(session: WriteSession, units: Sequence[int]) -> None:
    """Make the facts of some units anew; folding waits meanwhile."""
    folding.build(session, units)
