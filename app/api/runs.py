"""Runs of jobs: when, as of when, what they found, how late; and doing one now."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from pydantic import Field

from app.api.doors import doors
from app.api.fields import Day, In, Out
from app.api.pages import link_next
from app.api.problems import problems
from app.deps import CursorInvalid, Here, Now, Page, Reading, needs
from app.domain.night import NightToCome
from app.store.runs import Run, RunBusy, RunLost
from app.usecases import runs
from app.usecases.access import Principal
from app.usecases.outbox import told
from app.usecases.runs import CATCH_UP, Duty, lag_of

router = doors("/v1/runs", tag="alerts")

Manager = Annotated[Principal, needs("alerts:manage")]


class RunIn(In):
    """A run to be done now."""

    job: Literal["nightly"] = "nightly"
    as_of: Day = Field(description="The local day whose night is done.", examples=["2026-08-10"])


class RunOut(Out):
    """One run of a job."""

    job: str = Field(examples=["nightly"])
    slot: str = Field(description="The local day of the night, or hour.", examples=["2026-08-10"])
    as_of: datetime = Field(description="The moment of observation, exclusive.")
    state: str = Field(description="`new`, `running`, `done` or `failed`.", examples=["done"])
    started_at: datetime | None
    finished_at: datetime | None
    found: dict[str, Any] = Field(
        description="`looked_at`, `overdue`, `in_time`, `raised`, `digest_only`, `queued`, "
        "`not_computable`; of `index-feed`: `series`, `editions`, `final`, `done`, and `failed` "
        "with the reason of each.",
        examples=[{"looked_at": 300, "overdue": 300, "raised": 12, "queued": 24}],
    )
    takeovers: int = Field(description="How often it was begun again, after a crash or by hand.")
    lag_seconds: float = Field(
        description="From the moment of observation to the beginning, or to now while it waits.",
        examples=[12.5],
    )
    is_catch_up: bool = Field(description="Begun more than an hour after its moment.")

    @classmethod
    def of(cls, run: Run, now: datetime) -> "RunOut":
        """Return a run as it is shown."""
        lag = lag_of(run, now=now)
        return cls(
            lag_seconds=round(lag.total_seconds(), 1),
            is_catch_up=lag > CATCH_UP,
            job=run.job,
            slot=run.slot,
            as_of=run.as_of,
            state=run.state,
            started_at=run.started_at,
            finished_at=run.finished_at,
            found=dict(run.found),
            takeovers=run.takeovers,
        )


class RunsOut(Out):
    """A page of runs, newest first."""

    last_done: str | None = Field(description="The newest night done.", examples=["2026-08-10"])
    expected: str = Field(description="The newest night that has come.", examples=["2026-08-10"])
    waiting: int = Field(description="Nights that have come and are not done.")
    lag_seconds: float = Field(description="Since the moment of the oldest of them.")
    runs: list[RunOut]
    next_cursor: str | None


@router.get(
    "",
    operation_id="listRuns",
    summary="List runs of jobs, newest first",
    responses=problems(CursorInvalid),
    dependencies=[needs("dossiers:read")],
)
def list_runs(
    request: Request,
    response: Response,
    session: Reading,
    now: Now,
    page: Page,
    job: Annotated[
        str | None, Query(max_length=40, description="Tên công việc. / Name of the job.")
    ] = None,
) -> RunsOut:
    """Các lần chạy hằng đêm và hằng giờ, kể cả những đêm được chạy bù, và đang chậm bao lâu.

    Runs by night and by the hour, those that were caught up among them, and how far behind it is.
    """
    position = page.position(job=job)
    found, has_more = runs.list_runs(
        session,
        job=job,
        before=None if position is None else (datetime.fromisoformat(position[0]), position[1]),
        limit=page.limit,
    )
    after = page.cursor_after([told(found[-1].as_of), found[-1].job], job=job) if has_more else None
    link_next(request, response, after)
    nights = runs.standing_of(session, now=now)
    return RunsOut(
        last_done=None if nights.last is None else nights.last.slot,
        expected=nights.expected,
        waiting=nights.waiting,
        lag_seconds=round(nights.lag.total_seconds(), 1),
        runs=[RunOut.of(run, now) for run in found],
        next_cursor=after,
    )


@router.post(
    "",
    operation_id="doRun",
    summary="Do the night of a day now",
    responses=problems(NightToCome, RunBusy, RunLost),
)
def do_run(body: RunIn, here: Here, who: Manager, now: Now) -> RunOut:
    """Chạy ngay đêm của một ngày; chạy lại cũng không phát cảnh báo lần thứ hai.

    Does the night of a day; doing it again raises no alert twice.
    """
    duty = Duty(clock=here.clock, owner=who.actor)
    return RunOut.of(runs.run_named_night(here.database, body.as_of, duty), now)
