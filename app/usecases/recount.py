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
BUILT_AT_ONCE: Final = 100_000
FLOOD: Final = 50_000
"""How much of the log makes it worth asking whether units are better built anew."""
FOLDING_COSTS: Final = 3
"""How many dossiers are built in the time in which one version is folded, at the least."""
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
    """Fold the next part of the log; tell whether more may be waiting for this folder.

    After a flood of news, such as a large import, units are built anew instead where that is less
    work; the facts are the same. Sums of units with all below them follow the tree first.
    """
    if folding.is_stale(session) and folding.is_kept(session):
        if not folding.is_alone(session):
            return False
        folding.follow_tree(session)
    units = folding.flooded(session, least=FLOOD, versions=FLOOD)
    most = 2 * BUILT_AT_ONCE
    if units and folding.is_mostly_new(session, units, times=FOLDING_COSTS, most=most):
        if not folding.is_alone(session):
            return False
        folding.build(session, units)
        return True
    folded = folding.fold(session, limit=VERSIONS_AT_ONCE)
    if folded is None or folded >= VERSIONS_AT_ONCE:
        return folded is not None
    if folding.is_stale(session):
        folding.roll_up(session)
    return False


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
    above = folding.compare_above(session)
    differ += len(above)
    named += above[: MOST_NAMED - len(named)]
    return Recounted(seen, folding.waiting(session), differ, tuple(named), tuple(wrong))


def batches(session: ReadSession, *, size: int = DOSSIERS_AT_ONCE) -> Iterator[Sequence[int]]:
    """Return all units in batches of bounded size."""
    return folding.unit_batches(session, dossiers=size)


def alone(session: WriteSession) -> None:
    """Keep everybody from folding and building until the transaction ends.

    Others may ``build`` meanwhile, each in a transaction of its own and other units than the rest.
    """
    folding.alone(session)


def unroll(session: WriteSession) -> None:
    """Give up the sums of units with all below them, so that many may ``build`` at once."""
    folding.unroll(session)


def roll_up(session: WriteSession) -> None:
    """Make the sums of units with all below them anew, while nobody folds or builds."""
    folding.roll_up(session)


def build(session: WriteSession, units: Sequence[int]) -> None:
    """Make the facts of some units anew from their dossiers; what was in the log is in them."""
    folding.build(session, units)
