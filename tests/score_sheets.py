"""Real sheets as their offices would type them: Vân Canh 2026 under the 766 profile."""

from datetime import date

from app.store.session import WriteSession
from app.store.units import UnitRow
from tests.factories import (
    add_dossiers,
    dossier_row,
    finished_course,
    local,
    on_time_until,
)

VAN_CANH: dict[str, object] = {
    "synced": 1869,
    "sync_base": 1869,
    "online": "6.31",
    "proc_integrated": 20,
    "proc_with_fee": 42,
    "proc_paid_online": 8,
    "paid_online": 2352,
    "obligated": 2489,
    "e_result": 2497,
    "e_result_base": 2618,
    "e_documents": 1520,
    "e_documents_base": 2618,
    "reused": 1543,
    "reuse_base": 2618,
    "stored": 2,
    "store_base": 2618,
    "cdb_dossier": 1105,
    "cdb_dossier_base": 2618,
    "cdb_proc": 28,
    "cdb_proc_base": 388,
    "pet_on_time": 0,
    "pet_total": 0,
    "pet_satisfied": 0,
    "pet_rated": 0,
    "rated_ok": 2540,
    "rated": 2618,
}
GIA_LAI: dict[str, object] = {
    "published_on_time": 1,
    "published_due": 47,
    "updated_on_time": 43,
    "update_due": 47,
    "content_full": 47,
    "content_total": 47,
}
GROUPS = {
    "CKMB": "11.79",
    "TDGQ": "19.41",
    "ONLINE": "6.31",
    "TTTT": "7.34",
    "MDSH": "12.49",
    "MDHL": "18.00",
}
RECEIVED, ON_TIME = 2618, 2541


def told(values: dict[str, object]) -> dict[str, object]:
    """Return inputs as a body tells them."""
    return {"inputs": {name: {"value": value} for name, value in values.items()}}


def handle(
    session: WriteSession, unit: UnitRow, source_id: int, *, on_time: int, late: int
) -> None:
    """Give a unit so many dossiers of March 2026, finished on time and late."""
    received = local("2026-03-02", 9)
    due = on_time_until(date(2026, 3, 10)).date()
    good = finished_course(received, due, local("2026-03-05", 9))
    bad = finished_course(received, due, local("2026-03-20", 9))
    rows = [
        dossier_row(
            unit,
            source_id,
            f"{unit.code}-260302-{number:05}",
            due_on=due,
            received_at=received,
            course=good if number < on_time else bad,
        )
        for number in range(on_time + late)
    ]
    add_dossiers(session, rows)
