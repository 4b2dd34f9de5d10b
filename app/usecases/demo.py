"""The demonstration: a province with three months of made-up dossiers, told through the doors.

Everything passes the use cases that real senders pass, at the moments at which their software
would have told it, so that what is first known when is as in real life.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import ClassVar, Final

from app.domain.dossier import ZONE
from app.domain.errors import Conflict
from app.domain.record import MessageKind
from app.feeds import native
from app.feeds.reading import RecordIn
from app.rulebook.calendars import load_state_calendar
from app.rulebook.demo_province import (
    PROVINCE,
    DemoProcedure,
    DemoUnit,
    load_demo_procedures,
    load_demo_units,
)
from app.senders.guard import Network
from app.senders.seal import Sealer
from app.store import access as keys
from app.store import installation, units
from app.store.session import ReadSession, WriteSession
from app.usecases import access, catalogue, ingest, runs, webhooks
from app.usecases.access import Keyring, Principal, Scope
from app.usecases.catalogue import DatedLimit, ProcedureSpec, UnitLevel, UnitSpec
from app.usecases.ingest import Incoming, Sender, Unreadable
from app.usecases.outbox import EVENTS
from app.usecases.stories import ONE_DAY, Telling, offices, tellings

PURPOSE: Final = "demo"
PRODUCTION: Final = "production"
SOURCE: Final = "mot-cua-demo"
ACTOR: Final = "demo"
DOSSIERS: Final = 6_000
HISTORY: Final = timedelta(days=92)
LONGEST_STORY: Final = timedelta(days=160)
SYNC: Final = time(17, 15)
"""When the made-up software sends what changed since the day before."""
KEY_LIFE: Final = timedelta(days=30)

NIGHTS: Final = timedelta(days=7)
"""For so long the nights of the province were done, so that there are alerts to see."""


@dataclass(eq=False, kw_only=True)
class NotADemo(Conflict):
    """The database is not one of the demonstration, so the demonstration leaves it alone."""

    code: ClassVar[str] = "demo.not_a_demo"


@dataclass(eq=False, kw_only=True)
class OnlyADemo(Conflict):
    """The database is one of the demonstration and must not serve real work."""

    code: ClassVar[str] = "demo.only_a_demo"


def may_be_demo(session: ReadSession) -> None:
    """Pass if a database, migrated or not, is of the demonstration or has no table at all.

    :raises NotADemo: it is another's.
    """
    if installation.is_blank(session):
        return
    if installation.purpose(session) != PURPOSE:
        raise NotADemo


def is_told(session: ReadSession) -> bool:
    """Tell whether the province was told before.

    :raises NotADemo: the database is in use for something else.
    """
    if installation.purpose(session) is None and installation.is_in_use(session):
        raise NotADemo
    return installation.purpose(session) == PURPOSE


def declare_production(session: WriteSession, *, now: datetime) -> None:
    """Say that a database serves real work, unless that was said.

    :raises OnlyADemo: it is one of the demonstration.
    """
    known = installation.purpose(session) or installation.declare(session, PRODUCTION, now=now)
    if known == PURPOSE:
        raise OnlyADemo


@dataclass(frozen=True, slots=True)
class Seeded:
    """What a start of the demonstration told: how many records, and how many could not be true."""

    is_first: bool
    sent: int
    quarantined: int


def seed(session: WriteSession, *, now: datetime, dossiers: int = DOSSIERS) -> Seeded:
    """Tell the province and its dossiers, or, later on, what happened since the last time.

    :param dossiers: about how many dossiers the first three months hold.
    :raises NotADemo: the database is in use for something else.
    :raises CalendarYearMissing: a due date needs a year that is not loaded.
    """
    is_first = installation.purpose(session) is None
    if is_first:
        if installation.is_in_use(session):
            raise NotADemo
        if installation.declare(session, PURPOSE, now=now) != PURPOSE:
            raise NotADemo
        _tell_catalogue(session, now=now - HISTORY - ONE_DAY)
        runs.plan_nights(session, now=now - NIGHTS)  # the worker makes up for those since
    elif installation.purpose(session) != PURPOSE:
        raise NotADemo
    source_id, _ = keys.ensure_source(session, SOURCE, name="Phần mềm một cửa (giả lập)")
    since = installation.told_until(session, source_id)
    first = (now - HISTORY if since is None else since - LONGEST_STORY).astimezone(ZONE).date()
    told = [
        one
        for office in offices(load_demo_units(), load_demo_procedures(), dossiers=dossiers)
        for one in tellings(office, load_state_calendar(), first=first, until=now)
        if since is None or one.at > since
    ]
    root = units.get(session, PROVINCE)
    by = Sender(source_id, None, root.id, root.lft, root.rgt)
    sent = quarantined = 0
    for sync_at, batch in _syncs(told, now=now):
        records = [_record(index, one, sync_at) for index, one in enumerate(batch)]
        sent += len(records)
        quarantined += sum(isinstance(one, Unreadable) for one in records)
        ingest.accept(session, records, by=by, door="demo", now=sync_at)
    return Seeded(is_first, sent, quarantined)


def _tell_catalogue(session: WriteSession, *, now: datetime) -> None:
    specs = [_unit(one) for one in load_demo_units()]
    catalogue.put_units(session, specs, actor=ACTOR, now=now)
    procedures = [_procedure(one) for one in load_demo_procedures()]
    catalogue.put_procedures(session, procedures, actor=ACTOR, now=now)


def _unit(one: DemoUnit) -> UnitSpec:
    return UnitSpec(
        code=one.code,
        name=one.name,
        level=UnitLevel(one.level),
        parent=one.parent,
        valid_from=date(2025, 7, 1),
    )


def _procedure(one: DemoProcedure) -> ProcedureSpec:
    return ProcedureSpec(
        code=one.code,
        name=one.name,
        field=one.field,
        field_name=one.field_name,
        level=UnitLevel(one.level),
        online_level=one.online_level,
        limits=(DatedLimit(one.limit, one.is_verified),),
    )


def _syncs(
    told: Iterable[Telling], *, now: datetime
) -> Iterator[tuple[datetime, Sequence[Telling]]]:
    """Gather what is told into the sendings of the software, oldest first.

    Of two records of one dossier in one sending only the later is sent, for each is the whole.
    """
    dated = sorted(((_sync_after(one.at, now), one) for one in told), key=_by_sync)
    for sync_at, batch in groupby(dated, key=lambda pair: pair[0]):
        last: dict[tuple[str, MessageKind], Telling] = {}
        for _, one in batch:
            held = last.get((one.code, one.kind))
            merged = one if held is None else _merged(held, one)
            last[one.code, one.kind] = merged
        yield sync_at, list(last.values())


def _by_sync(pair: tuple[datetime, Telling]) -> tuple[datetime, datetime, str]:
    return pair[0], pair[1].at, pair[1].code


def _merged(held: Telling, one: Telling) -> Telling:
    return Telling(one.at, one.code, one.kind, {**held.told, **one.told}, one.raw)


def _sync_after(at: datetime, now: datetime) -> datetime:
    moment = datetime.combine(at.astimezone(ZONE).date(), SYNC, ZONE)
    if moment < at:
        moment += ONE_DAY
    return min(moment.astimezone(UTC), now)


def _record(index: int, one: Telling, sync_at: datetime) -> Incoming | Unreadable:
    if one.raw is not None:
        faults = native.read_record(one.raw, code=None, now=sync_at, hash_applicant=_nobody)
        if not isinstance(faults, RecordIn):
            return Unreadable(index, one.code, native.strip(one.raw), faults)
    return Incoming(index, one.code, one.kind, one.at, one.at, True, one.told)


def _nobody(key: str) -> str:
    """Stand for an applicant; there is none in the demonstration."""
    raise ValueError(f"an applicant in the demonstration: {len(key)} letters")


# ---------------------------------------------------------------- a key and a receiver


def fresh_key(session: WriteSession, keyring: Keyring, *, now: datetime) -> str:
    """Return a new key for everything, and end those of earlier starts."""
    for row in access.list_keys(session):
        if row.name == ACTOR and row.revoked_at is None:
            access.revoke_key(session, keyring, row.prefix, actor=ACTOR, now=now)
    return access.issue_key(
        session,
        keyring,
        name=ACTOR,
        source=SOURCE,
        unit=PROVINCE,
        scopes=tuple(Scope),
        actor=ACTOR,
        now=now,
        expires_at=now + KEY_LIFE,
    ).key


def operator(session: ReadSession) -> Principal:
    """Return who acts for the demonstration itself: everything may be read by the pages.

    :raises UnitUnknown: the province was never told.
    """
    root = units.get(session, PROVINCE)
    return Principal(
        key_id=0,
        prefix=ACTOR,
        name=ACTOR,
        source_id=0,
        source_code=SOURCE,
        unit_id=root.id,
        unit_code=root.code,
        lft=root.lft,
        rgt=root.rgt,
        scopes=frozenset({Scope.STATISTICS_READ, Scope.DOSSIERS_READ, Scope.ALERTS_MANAGE}),
    )


def receiver_secret(
    session: WriteSession,
    sealer: Sealer,
    *,
    url: str,
    allowed: Sequence[Network],
    who: Principal,
    now: datetime,
) -> str:
    """Register the receiver of this start, try it, and return the secret that signs for it.

    A receiver at the same address keeps what waits for it; those of other addresses go.
    """
    known = None
    listed, _ = webhooks.list_webhooks(session, within=catalogue.EVERYWHERE, after=None, limit=100)
    for row in listed:
        if row.url == url and known is None:
            known = row
        else:
            webhooks.remove_webhook(session, row.id, who=who, now=now)
    if known is None:
        made = webhooks.add_webhook(
            session,
            sealer,
            url=url,
            unit=PROVINCE,
            events=EVENTS,
            allowed=allowed,
            who=who,
            now=now,
        )
    else:
        made = webhooks.rotate_secret(
            session, sealer, known.id, overlap=timedelta(), who=who, now=now
        )
    webhooks.try_webhook(session, made.webhook.id, who=who, now=now)
    return made.secret
