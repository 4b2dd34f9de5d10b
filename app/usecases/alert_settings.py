"""What an office sets up of its alerts: the ladder of stages, who is to know, when mails go out.

Settings belong to a unit and hold for all below it, until a unit there sets up its own. Every
state stays on record.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any, ClassVar, Final

from app.domain.alert import STAGES, Level, Stage
from app.domain.errors import Invalid
from app.store import alert_settings, audit, units
from app.store.alert_settings import SettingRow
from app.store.session import ReadSession, WriteSession
from app.usecases.access import Principal
from app.usecases.subtree import unit_of

FARTHEST: Final = 60
"""The greatest number of working days before or after the due day."""


@dataclass(eq=False, kw_only=True)
class StageTwice(Invalid):
    """Two stages of a ladder lie on the same working day."""

    code: ClassVar[str] = "alert_settings.stage_twice"
    stage: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds of alerts at a unit.

    ``digest_at`` are the local times at which digests go out; none means with the opening of the
    office.
    """

    stages: tuple[Stage, ...] = STAGES
    digest_at: tuple[time, ...] = ()

    def plain(self) -> dict[str, object]:
        """Return the setting as JSON."""
        return {
            "stages": [
                {
                    "offset": stage.offset,
                    "level": stage.level.value,
                    "since": None if stage.since is None else stage.since.isoformat(),
                }
                for stage in self.stages
            ],
            "digest_at": [f"{at:%H:%M}" for at in self.digest_at],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Setting":
        """Return the setting that JSON tells."""
        return cls(
            stages=tuple(
                Stage(
                    each["offset"],
                    Level(each["level"]),
                    None if each["since"] is None else datetime.fromisoformat(each["since"]),
                )
                for each in plain["stages"]
            ),
            digest_at=tuple(time.fromisoformat(at) for at in plain["digest_at"]),
        )


@dataclass(frozen=True, slots=True)
class HeldSetting:
    """What holds at a unit, and where it was set up (``told`` None: nowhere, as shipped)."""

    unit: str
    setting: Setting
    told: SettingRow | None

    @property
    def is_own(self) -> bool:
        """Tell whether the unit itself set it up."""
        return self.told is not None and self.told.unit == self.unit


def settings_of(session: ReadSession, unit_ids: Iterable[int]) -> dict[int, Setting]:
    """Return what holds of alerts at each unit; units that share a setting share the value."""
    asked = set(unit_ids)
    own = {
        unit_id: Setting.from_plain(row.spec)
        for unit_id, row in alert_settings.every(session).items()
        if row.spec is not None
    }
    if not own:
        return dict.fromkeys(asked, AS_SHIPPED)
    lineages = units.lineages(session, asked)
    return {
        unit_id: next(
            (own[each] for each in reversed(lineages.get(unit_id, ())) if each in own), AS_SHIPPED
        )
        for unit_id in asked
    }


AS_SHIPPED: Final = Setting()


def every_stage(session: ReadSession) -> tuple[Stage, ...]:
    """Return the stages that hold anywhere, the shipped ones among them."""
    found = {stage.offset: stage for stage in STAGES}
    for row in alert_settings.every(session).values():
        if row.spec is not None:
            found |= {stage.offset: stage for stage in Setting.from_plain(row.spec).stages}
    return tuple(found[offset] for offset in sorted(found))


def get_setting(session: ReadSession, code: str, *, who: Principal) -> HeldSetting:
    """Return what holds of alerts at a unit.

    :raises UnitUnknown: there is no such unit that the caller may see.
    """
    return _held(session, unit_of(session, who, code).id, code)


def put_setting(
    session: WriteSession,
    code: str,
    *,
    stages: Sequence[Stage],
    digest_at: Sequence[time],
    who: Principal,
    now: datetime,
) -> HeldSetting:
    """Set up the alerts of a unit and of those below; telling the same again changes nothing.

    A stage that held before goes on; a new one tells only of what comes from now on.

    :raises UnitUnknown: there is no such unit that the caller may see.
    :raises StageTwice: two stages lie on the same working day.
    """
    unit = unit_of(session, who, code)
    alert_settings.lock(session)
    held = _held(session, unit.id, code)
    former = {stage.offset: stage for stage in held.setting.stages}
    known: dict[int, Stage] = {}
    for stage in sorted(stages, key=_offset):
        if stage.offset in known:
            raise StageTwice(stage=stage.name)
        before = former.get(stage.offset)
        known[stage.offset] = replace(stage, since=now if before is None else before.since)
    new = Setting(tuple(known.values()), tuple(sorted(set(digest_at))))
    if held.is_own and new == held.setting:
        return held
    _append(session, unit.id, held, new, who=who, now=now)
    return _held(session, unit.id, code)


def inherit_setting(
    session: WriteSession, code: str, *, who: Principal, now: datetime
) -> HeldSetting:
    """Let a unit have the alerts of the unit above it again.

    :raises UnitUnknown: there is no such unit that the caller may see.
    """
    unit = unit_of(session, who, code)
    alert_settings.lock(session)
    held = _held(session, unit.id, code)
    if held.is_own:
        _append(session, unit.id, held, None, who=who, now=now)
    return _held(session, unit.id, code)


def _offset(stage: Stage) -> int:
    return stage.offset


def _held(session: ReadSession, unit_id: int, code: str) -> HeldSetting:
    rows = alert_settings.every(session)
    for each in reversed(units.lineages(session, [unit_id])[unit_id]):
        row = rows.get(each)
        if row is not None and row.spec is not None:
            return HeldSetting(code, Setting.from_plain(row.spec), row)
    return HeldSetting(code, AS_SHIPPED, None)


def _append(
    session: WriteSession,
    unit_id: int,
    held: HeldSetting,
    new: Setting | None,
    *,
    who: Principal,
    now: datetime,
) -> None:
    last = alert_settings.every(session).get(unit_id)
    spec = None if new is None else new.plain()
    alert_settings.append(
        session,
        unit_id,
        seq=1 if last is None else last.seq + 1,
        spec=spec,
        actor=who.actor,
        now=now,
    )
    audit.append(
        session,
        actor=who.actor,
        action="alert_settings.put" if new else "alert_settings.inherit",
        subject=held.unit,
        unit_id=unit_id,
        before=held.setting.plain() if held.is_own else None,
        after=spec,
    )
