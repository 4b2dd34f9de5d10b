"""When words changed: a stamp that is another after every change of the catalogue.

The catalogue is units, procedures, calendars and mappings. A stamp is random and written in the
transaction of the change (by trigger), so that it is seen by exactly those who see the change, and
a change that was undone never lends its stamp to another. What was read between two equal stamps
may be remembered under that stamp.
"""

from app.store.session import ReadSession

_STAMP = b"SELECT coalesce(string_agg(stamp::text, ' ' ORDER BY name), '') FROM catalogue_stamp"


def of_catalogue(session: ReadSession) -> str:
    """Return the stamp of the words as this transaction sees them now."""
    return str(session.ask(_STAMP)[0][0])
