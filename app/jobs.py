"""The ticker: in each process, every few seconds, ask the database what is due and do it.

APScheduler only ticks, in memory. What is due, and who does it, is decided by rows of the
database, so any number of processes may tick.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import ClassVar, Final, Self
from uuid import UUID, uuid4

from apscheduler.executors.pool import ThreadPoolExecutor as TickThreads
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from app.clock import system_clock
from app.domain.errors import AppError, Invalid
from app.domain.record import Status
from app.senders.igate import Account, IgateClient
from app.senders.mail import MailAccount, Security, SmtpSender
from app.senders.seal import Sealer
from app.senders.webhook import WebhookSender
from app.settings import Settings, variable_of
from app.store.runs import Claim, RunLost
from app.store.session import Database, StorageUnavailable, WriteSession
from app.usecases import (
    editions,
    idempotency,
    intake,
    mails,
    outbox,
    pull,
    recount,
    runs,
    silences,
    successions,
)
from app.usecases.mails import Postman
from app.usecases.outbox import RECEIVERS_AT_ONCE, Courier
from app.usecases.runs import Duty
from app.usecases.subscriptions import mailing

log = logging.getLogger(__name__)

NIGHT_SECONDS: Final = 20
POST_SECONDS: Final = 1
FOLD_SECONDS: Final = 3
PULL_SECONDS: Final = 30
MAIL_SECONDS: Final = 15
STOP_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 10.0
"""How often the ticks are looked at: a clock that is set back leaves them waiting."""


@dataclass(frozen=True, slots=True)
class Puller:
    """What pulling on time needs: how often, for whom, and whom to ask."""

    every: timedelta
    terms: Callable[[WriteSession], pull.Terms]
    source: Callable[[], pull.Source]


class Every(BaseTrigger):
    """Comes again after some time, and makes up for nothing.

    APScheduler's own counts every time that it missed: a machine whose clock was years behind
    and is set right would count for hours, and keep each of them in memory.
    """

    def __init__(self, interval: timedelta) -> None:
        """Prepare for a time between two ticks."""
        self.interval = interval

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return when to come next, never before now."""
        due = now if previous is None else previous + self.interval
        return due if due > now else now + self.interval


class Worker:
    """What a process does beside serving: nights that are due, the post, facts, and pulls.

    A context manager; leaving it lets what is under way end, within limits.
    """

    def __init__(
        self,
        database: Database,
        *,
        duty: Duty,
        courier: Courier,
        puller: Puller | None = None,
        postman: Postman | None = None,
    ) -> None:
        self._database = database
        self._puller = puller
        self._postman = postman
        self._duty = duty
        self._courier = courier
        self._busy: set[UUID] = set()
        self._lock = threading.Lock()
        self._couriers = ThreadPoolExecutor(RECEIVERS_AT_ONCE, thread_name_prefix="deliver")
        self._stopping = threading.Event()
        self._ticker = BackgroundScheduler(
            timezone="UTC",
            executors={"default": TickThreads(6)},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )
        self._looker = threading.Thread(target=self._look_after_ticks, name="ticks", daemon=True)

    @property
    def owner(self) -> str:
        """Return the name under which this process takes work."""
        return self._duty.owner

    def __enter__(self) -> Self:
        """Begin to tick, at once."""
        ticks = [(self.do_nights, NIGHT_SECONDS), (self.send_post, POST_SECONDS)]
        ticks.append((self.fold_facts, FOLD_SECONDS))
        ticks.append((self.do_silences, NIGHT_SECONDS))
        if self._puller is not None:
            ticks.append((self.do_pull, PULL_SECONDS))
        if self._postman is not None:
            ticks.append((self.send_mails, MAIL_SECONDS))
        for tick, seconds in ticks:
            self._ticker.add_job(
                tick,
                Every(timedelta(seconds=seconds)),
                next_run_time=system_clock(),
            )
        self._ticker.start()
        self._looker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop ticking; what is not begun is left to the next process."""
        with self._lock:
            self._stopping.set()
        self._looker.join()
        self._ticker.shutdown(wait=True)
        self._couriers.shutdown(wait=True, cancel_futures=True)

    def _look_after_ticks(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.resume_ticks(now=system_clock())

    def resume_ticks(self, *, now: datetime) -> None:
        """Let ticks come that wait for longer than they ever should.

        A tick knows by the wall clock when the next one is due. Where that clock was hours ahead
        and is set right, all of them would rest until it has come there again.
        """
        for tick in self._ticker.get_jobs():
            due = tick.next_run_time
            if due is not None and due - now > 2 * tick.trigger.interval:
                log.warning("the clock was set back", extra={"tick": tick.name})
                tick.modify(next_run_time=now)

    def do_nights(self) -> None:
        """Do every night that is due, oldest first; what fails is logged and tried again."""
        try:
            with self._database.begin() as session:
                planned = runs.plan_nights(session, now=self._duty.clock())
            if planned > runs.MANY_NIGHTS:
                log.warning("many nights were missed", extra={"nights": planned})
            while not self._stopping.is_set() and self._do_one_night():
                pass
            self._do_hour()
            self._do_editions()
        except StorageUnavailable as error:
            log.warning("nights wait for the database", extra={"trouble": error.trouble.value})
        except Exception:
            log.exception("nights could not be done")

    def _do_one_night(self) -> bool:
        """Do the oldest night that waits; tell whether there was one."""
        with self._database.begin() as session:
            claim = runs.claim_night(session, owner=self.owner, now=self._duty.clock())
        if claim is None:
            return False
        if self._work(claim):
            self._forget_answers()
            self._settle_stranded()
        return True

    def _do_hour(self) -> None:
        """Look for warnings once in each hour of the day."""
        with self._database.begin() as session:
            now = self._duty.clock()
            runs.plan_hour(session, now=now)
            claim = runs.claim_hour(session, owner=self.owner, now=now)
        if claim is not None:
            self._work(claim)

    def _do_editions(self) -> None:
        """Make the editions of the index feed once after each night."""
        with self._database.begin() as session:
            now = self._duty.clock()
            claim = editions.claim_due(session, owner=self.owner, now=now)
        if claim is not None:
            self._work(claim, editions.work)

    def _work(
        self, claim: Claim, work: Callable[[Database, Claim, Duty], None] = runs.work
    ) -> bool:
        """Work a run through; tell whether it is done."""
        told = {"job": claim.job, "slot": claim.slot}
        try:
            work(self._database, claim, self._duty)
        except RunLost:
            log.info("run taken over by another process", extra=told)
        except StorageUnavailable:
            raise
        except Exception:
            log.exception("run failed", extra=told)
            self._give_back(claim)
        else:
            log.info("run done", extra=told)
            return True
        return False

    def _forget_answers(self) -> None:
        """Forget the answers that nobody may ask for again."""
        with self._database.begin() as session:
            forgotten = idempotency.forget_old(session, now=self._duty.clock())
        log.info("old answers forgotten", extra={"answers": forgotten})

    def _settle_stranded(self) -> None:
        """Move the dossiers that arrived at a unit while its succession was being told."""
        with self._database.begin() as session:
            moved = successions.settle_stranded(session, now=self._duty.clock())
        log.info("dossiers of units that ceased settled", extra={"dossiers": moved})

    def _give_back(self, claim: Claim) -> None:
        try:
            with self._database.begin() as session:
                runs.fail(session, claim)
        except AppError as error:
            log.info("night not given back", extra={"slot": claim.slot, "code": error.code})

    def do_pull(self) -> None:
        """Pull what is due from the source that the settings name; what fails is tried again."""
        if self._puller is None:
            return
        try:
            with self._database.begin() as session:
                terms = self._puller.terms(session)
                claim = pull.claim_due(
                    session, every=self._puller.every, owner=self.owner, now=terms.clock()
                )
            if claim is not None:
                self._pull(claim, self._puller.source, terms)
        except StorageUnavailable as error:
            log.warning("pulls wait for the database", extra={"trouble": error.trouble.value})
        except Exception:
            log.exception("pull could not be done")

    def _pull(self, claim: Claim, source: Callable[[], pull.Source], terms: pull.Terms) -> None:
        try:
            done = pull.work(self._database, claim, source(), terms)
        except RunLost:
            log.info("pull taken over by another process", extra={"slot": claim.slot})
        except StorageUnavailable:
            raise
        except Exception as error:
            code = error.code if isinstance(error, AppError) else "unexpected"
            log.warning("pull failed", extra={"slot": claim.slot, "code": code}, exc_info=error)
            self._give_back(claim)
        else:
            log.info("pull done", extra={"slot": claim.slot, "counts": dict(done.counts)})

    def do_silences(self) -> None:
        """Notice the sources that fell silent, and those that were heard again."""
        try:
            with self._database.begin() as session:
                raised, ended = silences.notice(session, now=self._duty.clock())
            if raised or ended:
                log.info("silences noticed", extra={"raised": raised, "ended": ended})
        except StorageUnavailable as error:
            log.warning("silences wait for the database", extra={"trouble": error.trouble.value})
        except Exception:
            log.exception("silences could not be noticed")

    def send_mails(self) -> None:
        """Plan the digests that are due and send what waits; what fails is tried again."""
        postman = self._postman
        if postman is None:
            return
        try:
            while not self._stopping.is_set():
                with self._database.begin() as session:
                    looked = mails.plan_digests(session, now=postman.clock())
                if looked < mails.AT_ONCE:
                    break
            done = mails.send_due(self._database, postman)
            if done != mails.Sent():
                told = {"sent": done.sent, "empty": done.empty, "failed": done.failed}
                log.info("mails done", extra={**told, "dead": done.dead})
        except StorageUnavailable as error:
            log.warning("mails wait for the database", extra={"trouble": error.trouble.value})
        except Exception:
            log.exception("mails could not be done")

    def fold_facts(self) -> None:
        """Fold what was written into the facts, unless another process is at it."""
        try:
            more = True
            while more and not self._stopping.is_set():
                with self._database.begin() as session:
                    more = recount.fold_some(session)
        except StorageUnavailable as error:
            log.warning("facts wait for the database", extra={"trouble": error.trouble.value})
        except Exception:
            log.exception("facts could not be folded")

    def send_post(self) -> None:
        """Set a courier to each receiver that has something due and none on the way.

        One that is slow keeps its own courier busy and nobody else's.
        """
        try:
            now = self._courier.clock()
            with self._database.read() as session:
                waiting = outbox.receivers_waiting(session, now=now, limit=4 * RECEIVERS_AT_ONCE)
        except StorageUnavailable as error:
            log.warning("the post waits for the database", extra={"trouble": error.trouble.value})
            return
        for webhook_id in waiting:
            with self._lock:
                if webhook_id not in self._busy and not self._stopping.is_set():
                    self._busy.add(webhook_id)
                    self._couriers.submit(self._deliver, webhook_id)

    def _deliver(self, webhook_id: UUID) -> None:
        """Bring a receiver some of its post, and line up again if there may be more."""
        goes_on = False
        try:
            done = outbox.deliver_to(self._database, webhook_id, self._courier)
            goes_on = done.attempts > 0 and not done.failed
            if done.failed:
                log.info("delivery failed", extra={"webhook": str(webhook_id), "dead": done.dead})
        except StorageUnavailable as error:
            log.warning("the post waits for the database", extra={"trouble": error.trouble.value})
        except Exception:
            log.exception("delivery could not be done", extra={"webhook": str(webhook_id)})
        finally:
            with self._lock:
                if goes_on and not self._stopping.is_set():
                    self._couriers.submit(self._deliver, webhook_id)
                else:
                    self._busy.discard(webhook_id)


def owner_name() -> str:
    """Return a name for this process that no other bears."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"


def duty_of(clock: Callable[[], datetime] = system_clock) -> Duty:
    """Return what nights need, for this process."""
    return Duty(clock=clock, owner=owner_name())


def courier_of(settings: Settings, clock: Callable[[], datetime] = system_clock) -> Courier:
    """Return what delivery needs, as the settings describe it."""
    return Courier(
        sender=WebhookSender(allowed=settings.webhook_allow_networks),
        sealer=Sealer(settings.applicant_key()),
        clock=clock,
    )


def worker_of(
    settings: Settings, database: Database, *, clock: Callable[[], datetime] = system_clock
) -> Worker:
    """Return the background work of a process, as the settings describe it."""
    return Worker(
        database,
        duty=duty_of(clock),
        courier=courier_of(settings, clock),
        puller=puller_of(settings, clock) if settings.igate_minutes else None,
        postman=postman_of(settings, clock),
    )


def postman_of(settings: Settings, clock: Callable[[], datetime] = system_clock) -> Postman | None:
    """Return what sends mails, as the settings describe it; None without a mail server."""
    if settings.smtp_host is None or settings.mail_from is None or settings.public_url is None:
        return None
    password = settings.smtp_password
    account = MailAccount(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=Security(settings.smtp_security.value),
        sender=settings.mail_from,
        sender_name="Đúng Hạn",
        user=settings.smtp_user,
        password=None if password is None else password.get_secret_value(),
        ca_file=None if settings.smtp_ca_file is None else str(settings.smtp_ca_file),
        local_name=settings.mail_from.rpartition("@")[2],
    )
    return Postman(
        sender=SmtpSender(account),
        mailing=mailing(
            settings.applicant_key(),
            public_url=settings.public_url,
            domains=settings.mail_domains,
        ),
        clock=clock,
    )


@dataclass(eq=False, kw_only=True)
class PullUnconfigured(Invalid):
    """A pull was asked for and the settings do not say from where, or as whom."""

    code: ClassVar[str] = "pull.unconfigured"
    missing: str


@dataclass(eq=False, kw_only=True)
class StatusMalformed(Invalid):
    """The meaning of a status is written ``number=word``."""

    code: ClassVar[str] = "pull.status_malformed"
    allowed: str = ", ".join(Status)


def statuses_of(told: str | None) -> dict[str, Status]:
    """Read what the numbers of statuses mean; unsaid, they mean nothing.

    :raises StatusMalformed: a part is not ``number=word`` with a word of ours.
    """
    found = {}
    for part in filter(None, (one.strip() for one in (told or "").split(","))):
        number, sign, word = (piece.strip() for piece in part.partition("="))
        if not sign or not number or word not in tuple(Status):
            raise StatusMalformed
        found[number] = Status(word)
    return found


def igate_of(settings: Settings, *, url: str | None = None) -> IgateClient:
    """Return the client of the iGate installation that the settings describe.

    :param url: in place of the address in the settings.
    :raises PullUnconfigured: the settings do not suffice.
    """
    secret = settings.igate_client_secret
    base = url or settings.igate_url
    token_url, client_id = settings.igate_token_url, settings.igate_client_id
    if not base or not token_url or not client_id or secret is None:
        given = {
            "igate_url": base,
            "igate_token_url": token_url,
            "igate_client_id": client_id,
            "igate_client_secret": secret,
        }
        missing = [variable_of(name) for name, value in given.items() if not value]
        raise PullUnconfigured(missing=", ".join(missing))
    account = Account(base, token_url, client_id, secret.get_secret_value(), settings.igate_agency)
    return IgateClient(
        account,
        allowed=settings.webhook_allow_networks,
        ca_file=None if settings.igate_ca_file is None else str(settings.igate_ca_file),
        per_minute=settings.igate_per_minute,
    )


def pull_terms(
    session: WriteSession,
    settings: Settings,
    *,
    source: str | None = None,
    unit: str | None = None,
    clock: Callable[[], datetime] = system_clock,
) -> pull.Terms:
    """Return for whom a pull speaks and what its words mean, as the settings say.

    :raises PullUnconfigured: no source is named.
    :raises UnitUnknown: the unit does not exist.
    """
    named = source or settings.igate_source
    if named is None:
        raise PullUnconfigured(missing=variable_of("igate_source"))
    return pull.Terms(
        by=intake.sender_by_name(session, source=named, unit=unit or settings.igate_unit),
        hash_applicant=intake.hasher_of(settings.applicant_key()),
        clock=clock,
        statuses=statuses_of(settings.igate_statuses),
    )


def puller_of(settings: Settings, clock: Callable[[], datetime] = system_clock) -> Puller:
    """Return what pulling on time needs, as the settings describe it.

    :raises PullUnconfigured: the settings do not suffice.
    """
    igate_of(settings)  # told at the start, not at the first tick
    statuses_of(settings.igate_statuses)
    if settings.igate_source is None:
        raise PullUnconfigured(missing=variable_of("igate_source"))
    return Puller(
        every=timedelta(minutes=settings.igate_minutes),
        terms=lambda session: pull_terms(session, settings, clock=clock),
        source=lambda: igate_of(settings),
    )
