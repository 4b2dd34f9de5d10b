"""What a change of rules would do: how many open dossiers move, and which of one's own."""

from typing import Any, Final

from pydantic import Field

from app.api.fields import Day, Out
from app.usecases import rule_change
from app.usecases.subtree import Subtree

MOST_SHOWN: Final = 500


class MovedOut(Out):
    """An open dossier whose due date the change moves."""

    code: str
    unit: str
    old_due_on: Day | None
    due_on: Day
    old_state: str | None
    state: str | None
    flips: bool = Field(description="Đổi trạng thái ngay. / In another state at once.")

    @classmethod
    def of(cls, one: rule_change.MovedDossier) -> "MovedOut":
        """Return a dossier that moves."""
        return cls(
            code=one.code,
            unit=one.unit,
            old_due_on=one.old_due_on,
            due_on=one.due_on,
            old_state=None if one.old_state is None else one.old_state.word,
            state=None if one.state is None else one.state.word,
            flips=one.flips,
        )


class PreviewOut(Out):
    """What a change of rules would do; nothing is saved."""

    looked_at: int = Field(description="Hồ sơ đang mở có hạn tự tính. / Open, due date computed.")
    moves: int
    flips: int
    dossiers: list[MovedOut] = Field(
        description="Tối đa 500 hồ sơ đầu, trong phạm vi đơn vị của bạn. / The first 500 of those "
        "within your units."
    )

    @classmethod
    def of(cls, found: rule_change.Preview, within: Subtree) -> "PreviewOut":
        """Return a preview, with the dossiers that the caller may see."""
        return cls(**cls.members(found, within))

    @classmethod
    def members(cls, found: rule_change.Preview, within: Subtree) -> dict[str, Any]:
        """Return the members of a preview, for an answer that says more."""
        own = [one for one in found.moved if within.lft <= one.unit_lft <= within.rgt]
        return {
            "looked_at": found.looked_at,
            "moves": len(found.moved),
            "flips": found.flips,
            "dossiers": [MovedOut.of(one) for one in own[:MOST_SHOWN]],
        }
