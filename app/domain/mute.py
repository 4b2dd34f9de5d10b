"""What is not sent for a while, and why; a mute hides nothing from any list or figure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from app.domain.errors import Invalid

LONGEST: Final = timedelta(days=90)
"""A mute must end, or it would be forgotten with what it mutes."""


class NoteReason(StrEnum):
    """Why an alert is taken note of, or muted (lý do ghi nhận hoặc tạm ẩn)."""

    IN_HAND = "in_hand"
    WAITING_APPLICANT = "waiting_applicant"
    WAITING_AGENCY = "waiting_agency"
    WRONG_DATA = "wrong_data"
    NOT_OURS = "not_ours"
    OTHER = "other"


@dataclass(eq=False, kw_only=True)
class MuteEndsWrongly(Invalid):
    """A mute ends in the future, and within 90 days."""

    code: ClassVar[str] = "mute.ends_wrongly"
    days: int = LONGEST.days


def check_end(until: datetime, *, now: datetime) -> None:
    """Pass if a mute may last until an instant.

    :raises MuteEndsWrongly: it lies in the past, or too far ahead.
    """
    if not now < until <= now + LONGEST:
        raise MuteEndsWrongly
