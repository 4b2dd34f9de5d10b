"""What an office sets up of its alerts: stages, who is to know of each, hours of digests."""

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import Field

from app.api.doors import doors
from app.api.fields import In, Out, UnitCode, WallTime
from app.api.problems import problems
from app.deps import Now, Reading, Writing, needs
from app.domain.alert import Level, Stage
from app.store.units import UnitUnknown
from app.usecases import alert_settings
from app.usecases.access import Principal
from app.usecases.alert_settings import FARTHEST, HeldSetting, StageTwice

router = doors("/v1/alert-settings", tag="alerts")

Reader = Annotated[Principal, needs("dossiers:read")]
Manager = Annotated[Principal, needs("alerts:manage")]
Unit = Annotated[UnitCode, Path(description="Mã đơn vị. / Code of the unit.", examples=["H44.100"])]

MOST_STAGES = 20
MOST_DIGESTS = 4


class StageIn(In):
    """A stage: when it comes, and for whom it is."""

    offset: int = Field(
        ge=-FARTHEST,
        le=FARTHEST,
        description="Working days after the due day; negative before it; 0 is the due day.",
        examples=[5],
    )
    level: Level = Field(
        strict=False,
        description="`unit`, `head`, `parent` or `province`: who is to know.",
        examples=["parent"],
    )

    def to_domain(self) -> Stage:
        """Return the stage."""
        return Stage(self.offset, self.level)


class AlertSettingIn(In):
    """The ladder of a unit and of those below it."""

    stages: list[StageIn] = Field(
        max_length=MOST_STAGES,
        description="Of a unit without stages nothing is told.",
        examples=[[{"offset": 0, "level": "unit"}, {"offset": 1, "level": "head"}]],
    )
    digest_at: list[WallTime] = Field(
        default=[],
        max_length=MOST_DIGESTS,
        description="Local times at which mails go out; none: with the opening of the office.",
        examples=[["07:30"]],
    )


class StageOut(Out):
    """A stage that holds at a unit."""

    stage: str = Field(examples=["overdue+5"])
    offset: int = Field(examples=[5])
    level: str = Field(examples=["parent"])
    since: datetime | None = Field(
        description="What had come by then is not told afterwards; null: from the beginning."
    )


class AlertSettingOut(Out):
    """What holds of alerts at a unit, and where it was set up."""

    unit: str = Field(examples=["H44.100"])
    set_by: str | None = Field(
        description="The unit, this one or one above, that set it up; null: as shipped.",
        examples=["H44"],
    )
    revision: int | None = Field(description="Of what that unit set up.", examples=[1])
    stages: list[StageOut]
    digest_at: list[str] = Field(examples=[["07:30"]])
    changed_at: datetime | None
    changed_by: str | None

    @classmethod
    def of(cls, held: HeldSetting) -> "AlertSettingOut":
        """Return a setting as it is shown."""
        told = held.told
        return cls(
            unit=held.unit,
            set_by=None if told is None else told.unit,
            revision=None if told is None else told.seq,
            stages=[
                StageOut(
                    stage=stage.name,
                    offset=stage.offset,
                    level=stage.level.value,
                    since=stage.since,
                )
                for stage in held.setting.stages
            ],
            digest_at=[f"{at:%H:%M}" for at in held.setting.digest_at],
            changed_at=None if told is None else told.recorded_at,
            changed_by=None if told is None else told.actor,
        )


@router.get(
    "/{unit}",
    operation_id="getAlertSetting",
    summary="Show what holds of alerts at a unit",
    responses=problems(UnitUnknown),
)
def get_alert_setting(unit: Unit, session: Reading, who: Reader) -> AlertSettingOut:
    """Các mốc cảnh báo, cấp nhận và giờ gửi của đơn vị, và đơn vị nào đã đặt.

    Stages, levels and hours that hold at a unit, and which unit set them up.
    """
    return AlertSettingOut.of(alert_settings.get_setting(session, unit, who=who))


@router.put(
    "/{unit}",
    operation_id="putAlertSetting",
    summary="Set up the alerts of a unit",
    responses=problems(UnitUnknown, StageTwice),
)
def put_alert_setting(
    unit: Unit, body: AlertSettingIn, session: Writing, who: Manager, now: Now
) -> AlertSettingOut:
    """Đặt mốc cảnh báo cho đơn vị và mọi đơn vị bên dưới chưa tự đặt; mốc mới chỉ tính từ bây giờ.

    Sets up the ladder of a unit and of those below that have none of their own. A new stage tells
    only of what comes from now on, so nothing storms.
    """
    return AlertSettingOut.of(
        alert_settings.put_setting(
            session,
            unit,
            stages=[stage.to_domain() for stage in body.stages],
            digest_at=body.digest_at,
            who=who,
            now=now,
        )
    )


@router.delete(
    "/{unit}",
    operation_id="inheritAlertSetting",
    summary="Let a unit have the alerts of the unit above again",
    responses=problems(UnitUnknown),
)
def inherit_alert_setting(unit: Unit, session: Writing, who: Manager, now: Now) -> AlertSettingOut:
    """Bỏ cách đặt riêng; đơn vị lại theo cấp trên. Mọi lần đặt vẫn được lưu.

    Takes back what the unit set up; it follows the unit above again. Every state stays on record.
    """
    return AlertSettingOut.of(alert_settings.inherit_setting(session, unit, who=who, now=now))
