"""When words changed: a stamp that is another after every change of the catalogue.

The catalogue is units, procedures, calendars and mappings. A stamp is random and written in the
transaction of the change (by trigger), so that it is seen by exactly those who see the change, and
a change that was undone never lends its stamp to another. What was read between two equal stamps
may be remembered under that stamp.
"""

from app.store.session import Later, ReadSession

_STAMP = b"SELECT coalesce(string_agg(stamp::text, ' ' ORDER BY name), '') FROM catalogue_stamp"


def of_catalogue(session: ReadSession) -> Later[str]:
    """Look up the stamp of the words as this transaction sees them now."""
    return session.later(lambda rows: str(rows[0][0]), _STAMP)
