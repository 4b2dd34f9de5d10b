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
from datetime import datetime
from types import TracebackType
from typing import Final, Self
from uuid import UUID, uuid4

from apscheduler.executors.pool import ThreadPoolExecutor as TickThreads
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app.clock import system_clock
from app.domain.errors import AppError
from app.senders.seal import Sealer
from app.senders.webhook import WebhookSender
from app.settings import Settings
from app.store.runs import Claim, RunLost
from app.store.session import Database, StorageUnavailable
from app.usecases import outbox, runs
from app.usecases.outbox import RECEIVERS_AT_ONCE, Courier
from app.usecases.runs import Duty

log = logging.getLogger(__name__)

NIGHT_SECONDS: Final = 20
POST_SECONDS: Final = 1
STOP_SECONDS: Final = 20.0


class Worker:
    """What a process does beside serving: nights that are due, and the post.

    A context manager; leaving it lets what is under way end, within limits.
    """

    def __init__(self, database: Database, *, duty: Duty, courier: Courier) -> None:
        self._database = database
        self._duty = duty
        self._courier = courier
        self._busy: set[UUID] = set()
        self._lock = threading.Lock()
        self._couriers = ThreadPoolExecutor(RECEIVERS_AT_ONCE, thread_name_prefix="deliver")
        self._stopping = threading.Event()
        self._ticker = BackgroundScheduler(
            timezone="UTC",
            executors={"default": TickThreads(2)},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )

    @property
    def owner(self) -> str:
        """Return the name under which this process takes work."""
        return self._duty.owner

    def __enter__(self) -> Self:
        """Begin to tick, at once."""
        for tick, seconds in ((self.do_nights, NIGHT_SECONDS), (self.send_post, POST_SECONDS)):
            self._ticker.add_job(
                tick,
                IntervalTrigger(seconds=seconds, timezone="UTC"),
                next_run_time=system_clock(),
            )
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop ticking; what is not begun is left to the next process."""
        self._stopping.set()
        self._ticker.shutdown(wait=True)
        self._couriers.shutdown(wait=True, cancel_futures=True)

    def do_nights(self) -> None:
        """Do every night that is due, oldest first; what fails is logged and tried again."""
        try:
            with self._database.begin() as session:
                planned = runs.plan_nights(session, now=self._duty.clock())
            if planned > runs.MANY_NIGHTS:
                log.warning("many nights were missed", extra={"nights": planned})
            while not self._stopping.is_set() and self._do_one_night():
                pass
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
        try:
            runs.work(self._database, claim, self._duty)
        except RunLost:
            log.info("night taken over by another process", extra={"slot": claim.slot})
        except StorageUnavailable:
            raise
        except Exception:
            log.exception("night failed", extra={"slot": claim.slot})
            self._give_back(claim)
        else:
            log.info("night done", extra={"slot": claim.slot})
        return True

    def _give_back(self, claim: Claim) -> None:
        try:
            with self._database.begin() as session:
                runs.fail(session, claim)
        except AppError as error:
            log.info("night not given back", extra={"slot": claim.slot, "code": error.code})

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
                free = webhook_id not in self._busy and not self._stopping.is_set()
                if free:
                    self._busy.add(webhook_id)
            if free:
                self._couriers.submit(self._deliver, webhook_id)

    def _deliver(self, webhook_id: UUID) -> None:
        try:
            done = outbox.deliver_to(self._database, webhook_id, self._courier)
            if done.failed:
                log.info("delivery failed", extra={"webhook": str(webhook_id), "dead": done.dead})
        except StorageUnavailable as error:
            log.warning("the post waits for the database", extra={"trouble": error.trouble.value})
        except Exception:
            log.exception("delivery could not be done", extra={"webhook": str(webhook_id)})
        finally:
            with self._lock:
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
        start=os.getpid(),
    )


def worker_of(
    settings: Settings, database: Database, *, clock: Callable[[], datetime] = system_clock
) -> Worker:
    """Return the background work of a process, as the settings describe it."""
    return Worker(database, duty=duty_of(clock), courier=courier_of(settings, clock))
