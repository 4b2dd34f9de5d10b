"""The account of a dossier's due date: which promise or limit it rests on, and why it fell so."""

from datetime import datetime

from app.domain.ledger import Ledger, explain
from app.domain.reading import Clocked
from app.domain.timeliness import Reading


def account(clocked: Clocked, reading: Reading, *, as_of: datetime) -> Ledger | None:
    """Account for the due date that a reading holds last; None if there is none to account for.

    The statutory reading accounts for our own computation; the others for the promise that they
    hold, with the pauses that move it: none moves what was sent last. A pause that is still open
    is taken to end at ``as_of``, and ``suspended`` holds the due date as it stood before.

    :raises CalendarYearMissing: a year that it needs is not loaded.
    :raises CalendarNeverOpens: no working day lies ahead.
    """
    begun, ground = clocked.history.clock_start_at, clocked.grounds.get(reading)
    if begun is None or ground is None or (ground.promised is None and clocked.limit is None):
        return None
    ledger = explain(
        clocked.terms.calendar,
        clocked.limit,
        begun,
        ground.pauses,
        promised=ground.promised,
        at=as_of,
    )
    return None if ledger.due is None else ledger
