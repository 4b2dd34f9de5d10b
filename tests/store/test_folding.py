"""One folder at a time; reading is exact while others write and fold."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import text

from app.domain.dossier import ZONE
from app.domain.period import Period
from app.domain.record import MessageKind, Status, Told
from app.store import facts, folding, tallies
from app.store.session import Database, ReadSession
from app.store.tallies import Dimension, Scope, Span
from app.usecases import ingest, recount
from app.usecases.ingest import Incoming, Sender
from tests.usecases.test_ingest import NOW, a_record, settled


def test_a_second_folder_leaves_the_work_to_the_first(fresh_database: Database) -> None:
    with fresh_database.begin() as first, fresh_database.begin() as second:
        assert folding.fold(first, limit=1) == 0
        assert folding.fold(second, limit=1) is None


def test_units_come_in_batches_of_bounded_size(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        by = settled(session)
        told = [
            a_record(Told(unit="A", procedure="P", received_at=NOW), code=f"HS-{n}")
            for n in range(3)
        ]
        ingest.accept(session, told, by=by, door="test", now=NOW)

        found = list(folding.unit_batches(session, dossiers=3))
        single = list(folding.unit_batches(session, dossiers=1))

    assert sorted(unit for batch in found for unit in batch) == sorted(
        unit for batch in single for unit in batch
    )
    assert len(single) > len(found)


PERIOD = Period(NOW.astimezone(ZONE).date() - timedelta(days=9), date(2026, 12, 31))
SPAN = Span(PERIOD.begins, PERIOD.ends, PERIOD.first, PERIOD.last)
EVERYWHERE = Scope(0, 2**63 - 1)


def _exact(session: ReadSession) -> bool:
    """Tell whether facts and scan agree in one snapshot, in each of two ways to cut."""
    for by in ((), (Dimension.UNIT,)):
        fast = facts.counts(session, EVERYWHERE, [SPAN], by=by)
        slow = tallies.counts(session, EVERYWHERE, SPAN, by=by)
        if fast is None or _shown(fast[0]) != _shown(slow):
            return False
    return not any(folding.compare(session, batch) for batch in recount.batches(session))


def _shown(rows: list[tallies.Row]) -> dict[object, object]:
    return {row.keys: row.tally for row in rows if any(row.tally.values)}


@dataclass
class Race:
    """Writers, folders and readers of one database, and what each of them did."""

    database: Database
    by: Sender
    folded: int = 0
    read: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def write(self, seed: int) -> None:
        """Tell six dossiers over and over, at one unit and then at the other.

        Twelve times, and on until somebody has folded and somebody has read meanwhile, or failed.
        """
        turn = -1
        while (turn := turn + 1) < 12 or (turn < 500 and not (self.folded and self.read)):
            at = NOW + timedelta(minutes=turn)
            records = [self._record(number, turn, seed, at) for number in range(6)]
            with self.database.begin() as session:
                ingest.accept(session, records, by=self.by, door="test", now=at)

    @staticmethod
    def _record(number: int, turn: int, seed: int, at: datetime) -> Incoming:
        told = Told(unit="AB"[(turn + seed) % 2], procedure="P", received_at=NOW)
        told["status"] = Status.PROCESSING
        if (turn + number) % 3 == 0:
            told["finished_at"] = at
            told["status"] = Status.FINISHED
        code = f"HS-{seed % 2}-{number}"
        return Incoming(number, code, MessageKind.RECORD, at, at, True, told)

    def fold(self) -> None:
        """Fold in small steps until all is written."""
        while not self.done.is_set():
            with self.database.begin() as session:
                self.folded += folding.fold(session, limit=5) or 0

    def look(self) -> None:
        """Ask for figures until all is written; each must be a recount."""
        while not self.done.is_set():
            with self.database.read() as session:
                assert _exact(session)
            self.read += 1


def test_every_read_is_a_recount_while_others_write_and_fold(fresh_database: Database) -> None:
    with fresh_database.begin() as session:
        race = Race(fresh_database, settled(session))
    with ThreadPoolExecutor(7) as threads:
        others = [threads.submit(work) for work in (race.fold, race.fold, race.look, race.look)]
        writers = [threads.submit(race.write, seed) for seed in range(3)]
        wait(writers)
        race.done.set()
        for work in (*writers, *others):
            work.result()

    assert race.folded > 0
    assert race.read > 0
    with fresh_database.read() as reader:
        assert _exact(reader)
        assert reader.scalar(text("SELECT count(*) FROM dossier")) > 0
