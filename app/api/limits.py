"""Time limits on the wire: the five kinds, their numbers and their pauses."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.api.fields import Day, Duration, In, Number, Text, WallTime, Word
from app.domain.limits import DEFAULT_CUTOFF, LimitKind, TimeLimit
from app.domain.pauses import PauseKind, PausePolicy
from app.domain.procedure import LimitVersion
from app.domain.record import Channel
from app.usecases.catalogue import DatedLimit, policies_with

KINDS = "Loại thời hạn. / How the limit is counted."


class LimitIn(In):
    """A time limit: working or calendar days, working hours, the same day, or none."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "working_days", "value": 5},
                {"kind": "working_hours", "duration": "PT4H30M"},
                {"kind": "same_day", "cutoff": "15:00"},
            ]
        }
    )

    kind: LimitKind = Field(strict=False, description=KINDS)
    value: Number | None = Field(
        None, description="Số ngày, hoặc số giờ. / Days (working days in halves), or hours."
    )
    duration: Duration | None = Field(
        None,
        description="Thời gian làm việc, thay cho `value`. / Working time, instead of `value`.",
    )
    cutoff: WallTime | None = Field(
        None, description="Giờ chót nhận trong ngày. / Last time of receipt that counts (same_day)."
    )
    reception: bool | None = Field(
        None, description="Buổi chỉ tiếp nhận có tính không. / Reception days count (same_day)."
    )
    legal_basis: Text | None = Field(None, description="Căn cứ. / The text that sets it.")

    def to_limit(self) -> TimeLimit:
        """Return the limit.

        :raises LimitNotPositive: it is zero or less.
        :raises LimitNotDivisible: it is finer than its kind allows.
        :raises LimitValueMissing: the number is missing.
        :raises LimitValueUnexpected: it has a number that its kind has not.
        """
        return TimeLimit(
            self.kind,
            self.value,
            self.duration,
            DEFAULT_CUTOFF if self.cutoff is None else self.cutoff,
            True if self.reception is None else self.reception,
            legal_basis=self.legal_basis,
        )


KindTold = Annotated[PauseKind, Field(strict=False)]
PolicyTold = Annotated[PausePolicy, Field(strict=False)]


class DatedLimitIn(LimitIn):
    """A limit of a procedure, with its validity."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "valid_from": "2025-07-01",
                    "kind": "same_day",
                    "cutoff": "15:00",
                    "legal_basis": "Luật Hộ tịch 2014, Điều 16",
                }
            ]
        }
    )

    valid_from: Day = Field(description="Ngày bắt đầu áp dụng. / First day.")
    valid_to: Day | None = Field(None, description="Ngày cuối áp dụng. / Last day.")
    case: Word | None = Field(None, description="Trường hợp. / Case with a limit of its own.")
    channel: Channel | None = Field(
        None, strict=False, description="Kênh nộp. / Channel with a limit of its own."
    )
    pauses: dict[KindTold, PolicyTold] = Field(
        default_factory=dict,
        description="Cách tính khi tạm dừng. / `shift` or `restart` for each kind of pause.",
    )
    source: Literal["verified", "unverified"] = Field(
        "verified", description="Đã đối chiếu văn bản chưa. / Whether compared with the text."
    )

    def to_dated(self) -> DatedLimit:
        """Return the limit with its validity; its errors are those of ``to_limit``."""
        version = LimitVersion(
            limit=self.to_limit(),
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            case=self.case,
            channel=self.channel,
            policies=policies_with(self.pauses),
        )
        return DatedLimit(version, self.source == "verified")
