"""What a sender tells us: messages, and the closed vocabularies that they use.

A message is kept for ever as it was told. Its facts are a ``Told`` mapping in which a missing key
means *absent* (what was known stays known), ``None`` means *null* (erases it, as a new fact), and
anything else is a value.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from app.domain.values import immutable


class Status(StrEnum):
    """Where the source system says a dossier stands (trạng thái hồ sơ)."""

    SUBMITTED = "submitted"
    REFUSED_AT_INTAKE = "refused_at_intake"
    RECEIVED = "received"
    PROCESSING = "processing"
    AWAITING_SUPPLEMENT = "awaiting_supplement"
    AWAITING_PAYMENT = "awaiting_payment"
    STOPPED = "stopped"
    WITHDRAWN = "withdrawn"
    FINISHED = "finished"
    RETURNED = "returned"


OPEN_STATUSES = frozenset(
    {
        Status.RECEIVED,
        Status.PROCESSING,
        Status.AWAITING_SUPPLEMENT,
        Status.AWAITING_PAYMENT,
        Status.STOPPED,
    }
)
"""Statuses of a dossier that is in hand: received and not ended."""


class Channel(StrEnum):
    """How a dossier was handed in (kênh tiếp nhận)."""

    ONLINE = "online"
    IN_PERSON = "in_person"
    POST = "post"
    UNKNOWN = "unknown"


class ApplicantType(StrEnum):
    """What kind of person applies (loại đối tượng); never who."""

    CITIZEN = "citizen"
    BUSINESS = "business"
    STATE_BODY = "state_body"
    ORGANISATION = "organisation"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What was decided: granted (đủ điều kiện) or refused with reasons (từ chối giải quyết)."""

    GRANTED = "granted"
    REFUSED = "refused"


class ReturnMethod(StrEnum):
    """How the result reached the citizen (hình thức trả kết quả)."""

    COUNTER = "counter"
    POST = "post"
    ONLINE = "online"


class MessageKind(StrEnum):
    """A full record as the source sees it now, or one event.

    ``calendar_change`` is ours: no sender tells it.
    """

    RECORD = "record"
    STEP = "step"
    PAUSE = "pause"
    RESUME = "resume"
    EXTENSION = "extension"
    TRANSFER = "transfer"
    CORRECTION = "correction"
    REOPENING = "reopening"
    VOID = "void"
    APOLOGY = "apology"
    CALENDAR_CHANGE = "calendar_change"


@immutable
class PauseTold:
    """One interval of suspension (tạm dừng) as the source told it; open while ``ended_at`` is None.

    ``kind`` is a value of ``PauseKind``; ``new_due_at`` is the due date that the sender named
    together with this pause, if any; ``old_due_at`` the one that held before it.
    """

    kind: str
    started_at: datetime
    ended_at: datetime | None = None
    new_due_at: datetime | None = None
    old_due_at: datetime | None = None


@immutable
class ExtensionTold:
    """A letter of apology with a new date (văn bản xin lỗi và gia hạn)."""

    issued_at: datetime
    new_due_at: datetime
    document: str | None = None


class Told(TypedDict, total=False):
    """The facts of one message; a missing key is absent, None is null."""

    # identity and catalogue, as the sender spells them
    unit: str
    procedure: str
    case: str | None
    channel: Channel | None
    applicant_type: ApplicantType | None
    applicant_hash: str | None
    # instants, all aware
    submitted_at: datetime | None
    received_at: datetime | None
    clock_start_at: datetime | None
    due_at: datetime | None
    finished_at: datetime | None
    ended_at: datetime | None
    returned_at: datetime | None
    entered_at: datetime | None
    # standing
    status: Status | None
    outcome: Outcome | None
    return_method: ReturnMethod | None
    place_independent: bool | None
    pauses: tuple[PauseTold, ...] | None
    extension: ExtensionTold | None
    # joint dossiers and other numbers of the same dossier
    parent: str | None
    leg: str | None
    other_codes: tuple[str, ...] | None
    official: str | None
    # declared where known
    paid_online: bool | None
    digitised: bool | None
    contacts: int | None
    bodies_contacted: int | None
    founded_complaints: int | None
    # only in events
    pause_kind: str | None
    document: str | None
    reason: str | None
    exempt: bool | None
    approved: bool | None
    old_due_at: datetime | None


Heard = tuple[MessageKind | str, str, datetime]
"""What tells a message from others: its kind, its digest and its stamp."""


@immutable
class Message:
    """One accepted thing that a sender told us about one dossier.

    ``at`` is when the event happened (for a record: its stamp). News is ordered by
    (``source_updated_at``, ``digest``); ``recorded_at`` is when we learned it. ``root`` is the
    part of the unit tree in which the sender's words for units are looked up, 0 for all of it.
    """

    kind: MessageKind
    at: datetime
    source_updated_at: datetime
    digest: str
    recorded_at: datetime
    told: Told
    stamped: bool = True
    root: int = 0

    @property
    def heard(self) -> Heard:
        """Return what tells it from others."""
        return (self.kind, self.digest, self.source_updated_at)

    def is_among(self, heard: Sequence[Heard]) -> bool:
        """Tell whether it was told before, given what was heard so far in order of arrival.

        A snapshot without a stamp was told before only if it equals the last one: a sender may come
        back to an earlier state without a new date.
        """
        if self.stamped:
            return self.heard in heard
        for kind, digest, _ in reversed(heard):
            if kind == self.kind:
                return digest == self.digest
        return False

    @property
    def order(self) -> tuple[datetime, str]:
        """Return the key by which news is newer or older, whatever the order of arrival."""
        return (self.source_updated_at, self.digest)
