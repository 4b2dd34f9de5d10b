"""Why a dossier came late (nguyên nhân trễ hạn), as somebody said; nothing infers a cause."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

UNCLASSIFIED: Final = "unclassified"
"""What stands for the cause while nobody has named one (chưa phân loại)."""

SEPARATOR: Final = ":"
"""Between the unit and the code of a cause that an office added; no code of a unit holds it."""


class CauseGroup(StrEnum):
    """On whose side a cause lies."""

    UNIT = "unit"
    OTHER_AGENCY = "other_agency"
    APPLICANT = "applicant"
    RULES = "rules"
    SYSTEM = "system"
    EVENTS = "events"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class LateCause:
    """A cause that may be named: shipped with the service, or added by a unit for its subtree."""

    id: str
    group: CauseGroup
    vi: str
    en: str
    unit: str | None = None
    is_retired: bool = False


def local_id(unit: str, code: str) -> str:
    """Return the id of a cause that a unit added, which no other unit's cause can have."""
    return f"{unit}{SEPARATOR}{code}"
