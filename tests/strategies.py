"""Random histories of one dossier, as messages that a sender could send."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from app.domain.canonical import digest
from app.domain.record import (
    Channel,
    ExtensionTold,
    Message,
    MessageKind,
    PauseTold,
    Status,
    Told,
)

FIRST = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
"""A Monday at 07:00 in Viet Nam; everything happens within the sixty days that follow."""

MINUTES = 60 * 24 * 60

moments = st.integers(0, MINUTES).map(lambda minutes: FIRST + timedelta(minutes=minutes * 1))
round_moments = st.integers(0, 60 * 8).map(lambda eighths: FIRST + timedelta(hours=eighths * 3))
instants = st.one_of(moments, round_moments)


def message(
    told: Told,
    *,
    at: datetime,
    kind: MessageKind = MessageKind.RECORD,
    recorded_at: datetime | None = None,
    stamped: bool = True,
) -> Message:
    """Build a message as the doors do, with its digest."""
    return Message(
        kind=kind,
        at=at,
        source_updated_at=at,
        digest=digest(kind, told, at=None if kind is MessageKind.RECORD else at),
        recorded_at=recorded_at or at + timedelta(minutes=1),
        told=told,
        stamped=stamped,
    )


@st.composite
def pauses(draw: st.DrawFn) -> tuple[PauseTold, ...]:
    """Draw up to three pauses, possibly overlapping, open or of one moment."""
    found = []
    for _ in range(draw(st.integers(0, 3))):
        started_at = draw(instants)
        length = draw(st.one_of(st.none(), st.integers(0, 20 * 24 * 60)))
        ended_at = None if length is None else started_at + timedelta(minutes=length)
        kind = draw(st.sampled_from(["supplement", "payment", "stopped", "other"]))
        found.append(PauseTold(kind, started_at, ended_at))
    return tuple(found)


@st.composite
def records(draw: st.DrawFn, units: tuple[str, ...] = ("A",)) -> Message:
    """Draw one full record of a dossier."""
    told = Told(unit=draw(st.sampled_from(units)), procedure=draw(st.sampled_from(["P", "H", "?"])))
    told["channel"] = draw(st.sampled_from(Channel))
    if draw(st.booleans()):
        told["status"] = draw(st.sampled_from(Status))
    for name in ("received_at", "due_at", "finished_at", "submitted_at", "ended_at", "returned_at"):
        if draw(st.integers(0, 2)):
            told[name] = draw(st.one_of(st.none(), instants) if name != "due_at" else instants)
    if draw(st.booleans()):
        told["pauses"] = draw(pauses())
    if draw(st.integers(0, 3)) == 0:
        issued_at = draw(instants)
        told["extension"] = ExtensionTold(issued_at, draw(instants), "12/TB")
    return message(told, at=draw(instants))


@st.composite
def events(draw: st.DrawFn, units: tuple[str, ...] = ("A",)) -> Message:
    """Draw one event of a dossier."""
    kind = draw(st.sampled_from([one for one in MessageKind if one is not MessageKind.RECORD]))
    told = Told()
    match kind:
        case MessageKind.STEP:
            told["status"] = draw(st.sampled_from(Status))
        case MessageKind.PAUSE | MessageKind.RESUME:
            told["pause_kind"] = draw(st.sampled_from(["supplement", "payment", "other"]))
        case MessageKind.EXTENSION:
            told["due_at"] = draw(instants)
        case MessageKind.TRANSFER:
            told["unit"] = draw(st.sampled_from(units))
        case MessageKind.CORRECTION:
            name = draw(st.sampled_from(["due_at", "finished_at", "received_at"]))
            told[name] = draw(instants)  # type: ignore[literal-required]  # the names are facts
            told["approved"] = draw(st.booleans())
        case MessageKind.APOLOGY:
            told["exempt"] = draw(st.booleans())
        case _:
            told["reason"] = "test"
    return message(told, at=draw(instants), kind=kind)


def histories(units: tuple[str, ...] = ("A",)) -> st.SearchStrategy[list[Message]]:
    """Draw the messages of one dossier in order of arrival; at least one is a record."""
    return st.tuples(
        records(units), st.lists(st.one_of(records(units), events(units)), max_size=4)
    ).map(lambda pair: [pair[0], *pair[1]])


@st.composite
def _after(draw: st.DrawFn, received_at: datetime) -> tuple[PauseTold, ...]:
    """Draw one pause that began after a receipt, and sometimes the dates told with it."""
    started_at = received_at + timedelta(minutes=draw(st.integers(0, 60 * 24 * 12)))
    ended_at = started_at + timedelta(minutes=draw(st.integers(0, 60 * 24 * 12)))
    dates = st.one_of(st.none(), st.none(), instants)
    kind = draw(st.sampled_from(["supplement", "payment", "stopped", "other"]))
    return (PauseTold(kind, started_at, ended_at, draw(dates), draw(dates)),)


_OF_DATES = (Status.RECEIVED, Status.PROCESSING, Status.FINISHED, Status.RETURNED)


@st.composite
def plain_histories(draw: st.DrawFn) -> list[Message]:
    """Draw one to three records of dates alone, at one unit, most of them for one due date.

    Half of them tell of a pause, most of those of one that began after the receipt.
    """
    due_at = draw(st.one_of(st.none(), instants))
    received_at = draw(instants)
    known = Told(unit="A", procedure="P", received_at=received_at)
    if draw(st.booleans()):
        known["pauses"] = draw(st.one_of(_after(received_at), pauses()))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        told = Told(**known)
        told["status"] = draw(st.sampled_from([None, *_OF_DATES * 4, *Status]))
        told["channel"] = draw(st.sampled_from([None, *Channel]))
        if due_at is not None:
            told["due_at"] = draw(st.sampled_from([due_at] * 8 + [due_at + timedelta(days=1)]))
        for name in ("submitted_at", "clock_start_at", "finished_at", "returned_at", "entered_at"):
            if draw(st.integers(0, 2)) == 0:
                told[name] = draw(st.one_of(st.none(), instants))
        paused = told.get("pauses")
        if paused and told.get("finished_at") and draw(st.booleans()):
            minutes = draw(st.integers(0, 60 * 24 * 12))
            resumed_at = paused[0].ended_at or paused[0].started_at
            told["finished_at"] = resumed_at + timedelta(minutes=minutes)
        known["finished_at"] = told.get("finished_at")
        if draw(st.integers(0, 7)) == 0:
            known["pauses"] = draw(st.one_of(st.none(), st.just(()), _after(received_at)))
        at = draw(instants)
        late = draw(st.integers(0, 60 * 24 * 20))
        heard = at + timedelta(minutes=late)
        found.append(message(told, at=at, recorded_at=heard, stamped=draw(st.booleans())))
    return found
