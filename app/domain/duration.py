"""Durations of ISO 8601 in hours, minutes and seconds; no days: one is never silently 8 hours."""

import re
from datetime import timedelta
from typing import Final

_FORM: Final = re.compile(
    r"PT(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,10})(?:\.(\d{1,6}))?S)?", re.ASCII
)
MICROSECOND: Final = timedelta(microseconds=1)


def read_duration(text: str) -> timedelta | None:
    """Read a duration such as PT4H30M; None when the text is not one."""
    found = _FORM.fullmatch(text)
    if found is None or text == "PT":
        return None
    hours, minutes, seconds, fraction = found.groups(default="")
    return timedelta(
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int(fraction.ljust(6, "0")) if fraction else 0,
    )


def write_duration(duration: timedelta) -> str:
    """Write a duration, not negative, as hours, minutes and seconds, such as PT4H30M."""
    seconds, micros = divmod(duration // MICROSECOND, 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{micros:06}".rstrip("0") if micros else ""
    text = f"{hours}H" if hours else ""
    text += f"{minutes}M" if minutes else ""
    text += f"{seconds}{fraction}S" if seconds or micros else ""
    return f"PT{text or '0S'}"
