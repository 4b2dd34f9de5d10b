"""The append-only trail of who did what."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from app.store.session import WriteSession
from app.store.tables import audit

Json = Mapping[str, object]

_MAYBE = JSONB(none_as_null=True)
_INSERT = sa.insert(audit).values(
    actor=sa.bindparam("actor"),
    action=sa.bindparam("action"),
    subject=sa.bindparam("subject"),
    unit_id=sa.bindparam("unit_id"),
    before=sa.bindparam("before", type_=_MAYBE),
    after=sa.bindparam("after", type_=_MAYBE),
)


def append(
    session: WriteSession,
    *,
    actor: str,
    action: str,
    subject: str,
    unit_id: int | None = None,
    before: Json | None = None,
    after: Json | None = None,
) -> None:
    """Write one line of the trail, in the transaction of the change that it tells.

    :param action: a permanent dotted code, such as ``unit.put``.
    :param before: what stood; None when there was nothing.
    :param after: what stands now; None when it is gone.
    """
    append_many(
        session,
        [
            {
                "actor": actor,
                "action": action,
                "subject": subject,
                "unit_id": unit_id,
                "before": None if before is None else dict(before),
                "after": None if after is None else dict(after),
            }
        ],
    )


def append_many(session: WriteSession, lines: list[dict[str, object]]) -> None:
    """Write several lines at once; each has the fields of ``append``."""
    if lines:
        session.execute(_INSERT, lines)
