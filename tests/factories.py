"""Rows as they would stand after ingest, made directly: typed, with sensible defaults."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app.domain.alert import DossierKey
from app.domain.timeliness import JUST, Flow, State
from app.store import units
from app.store.session import WriteSession
from app.store.tables import dossier, dossier_change, source
from app.store.units import UnitRow

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def local(day: date | str, hour: int = 0, minute: int = 0) -> datetime:
    """Return a local wall time as an instant."""
    on = date.fromisoformat(day) if isinstance(day, str) else day
    return datetime.combine(on, time(hour, minute), ZONE).astimezone(UTC)


def make_unit(
    session: WriteSession,
    code: str = "H44",
    *,
    parent: UnitRow | None = None,
    level: str = "commune",
    name: str | None = None,
) -> UnitRow:
    """Write a unit below another."""
    return units.add(
        session,
        units.Slots.of(session),
        code=code,
        name=name or f"Đơn vị {code}",
        level=level if parent else "province",
        parent=parent,
        valid_from=None,
        valid_to=None,
        legacy_codes=(),
        now=LONG_AGO,
    )


def make_source(session: WriteSession, code: str = "mot-cua") -> int:
    """Write a source system, or find it, and return its number."""
    session.execute(insert(source).values(code=code, name=code).on_conflict_do_nothing())
    return int(session.execute(sa.select(source.c.id).where(source.c.code == code)).scalar_one())


@dataclass(frozen=True, slots=True)
class Course:
    """The edges of a dossier: (instant, state, flow, due day)."""

    edges: tuple[tuple[datetime, State, Flow, date | None], ...]

    @property
    def is_open(self) -> bool:
        """Tell whether it is in hand after its last edge."""
        return self.edges[-1][1].in_hand


def open_course(received_at: datetime, due_on: date | None) -> Course:
    """Return the edges of a dossier that nobody finishes, due at the end of a local day."""
    if due_on is None:
        return Course(((received_at, State.OPEN_NO_DUE, Flow.RECEIVED, None),))
    lapse = on_time_until(due_on) + JUST
    if lapse <= received_at:
        return Course(((received_at, State.OPEN_OVERDUE, Flow.RECEIVED, due_on),))
    return Course(
        (
            (received_at, State.OPEN_IN_TIME, Flow.RECEIVED, due_on),
            (lapse, State.OPEN_OVERDUE, Flow.NONE, due_on),
        )
    )


def finished_course(received_at: datetime, due_on: date, finished_at: datetime) -> Course:
    """Return the edges of a dossier that was finished."""
    is_late = finished_at > on_time_until(due_on)
    state = State.FINISHED_LATE if is_late else State.FINISHED_ON_TIME
    flow = Flow.FINISHED_LATE if is_late else Flow.FINISHED_ON_TIME
    before = tuple(edge for edge in open_course(received_at, due_on).edges if edge[0] < finished_at)
    return Course((*before, (finished_at, state, flow, due_on)))


def on_time_until(due_on: date) -> datetime:
    """Return the last instant of a local day."""
    return local(due_on + timedelta(days=1)) - JUST


def dossier_row(
    unit: UnitRow,
    source_id: int,
    code: str,
    *,
    due_on: date | str | None = "2026-08-06",
    received_at: datetime | None = None,
    course: Course | None = None,
    first_recorded_at: datetime | None = None,
    **other: object,
) -> dict[str, object]:
    """Return the columns of a dossier, due at the end of a day and open unless told otherwise."""
    due = date.fromisoformat(due_on) if isinstance(due_on, str) else due_on
    begins = received_at or (local("2026-08-03", 9) if due is None else local(due, 9) - _WEEK)
    runs = course or open_course(begins, due)
    known = first_recorded_at or begins
    clock: dict[str, object] = {
        "due_on": due,
        "due_at": None if due is None else local(due, 17),
        "early_before": None if due is None else local(due),
        "on_time_until": None if due is None else on_time_until(due),
        "edge_at": [at for at, *_ in runs.edges],
        "edge_state": [int(state) for _, state, _, _ in runs.edges],
        "edge_flow": [int(flow) for _, _, flow, _ in runs.edges],
        "edge_due": [day for *_, day in runs.edges],
        "edge_days": [],
    }
    return {
        "unit_id": unit.id,
        "source_id": source_id,
        "code": code,
        "unit_lft": unit.lft,
        "home_unit_id": unit.id,
        "version": 1,
        "recorded_at": known,
        "first_recorded_at": known,
        "source_updated_at": known,
        "is_current": True,
        "is_open": runs.is_open,
        "is_leg": False,
        "is_counted": not other.get("is_leg", False),
        "procedure_told": "1.001193",
        "channel": "in_person",
        "applicant_type": "citizen",
        "status": "processing",
        "received_at": begins,
        "due_origin": "none" if due is None else "told",
        "is_provisional": False,
        **clock,
        **other,
    }


_WEEK = timedelta(days=7)


def add_dossiers(session: WriteSession, rows: Iterable[dict[str, object]]) -> list[DossierKey]:
    """Write dossiers and return their keys."""
    listed: Sequence[dict[str, object]] = list(rows)
    session.execute(sa.insert(dossier), listed)
    names = ("unit_id", "source_id", "code", "version", "recorded_at")
    news = [{"sign": 1, **{name: row[name] for name in names}} for row in listed]
    if news:
        session.execute(sa.insert(dossier_change), news)
    return [
        DossierKey(int(str(row["unit_id"])), int(str(row["source_id"])), str(row["code"]))
        for row in listed
    ]


def add_dossier(
    session: WriteSession, unit: UnitRow, source_id: int, code: str, **columns: object
) -> DossierKey:
    """Write one dossier; the columns are those of ``dossier_row``."""
    return add_dossiers(session, [dossier_row(unit, source_id, code, **columns)])[0]  # type: ignore[arg-type] # any column
