"""One JSON line for each event, with what must not be read masked in one place.

Code logs with the standard library: a static English message, and identifiers in ``extra``.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import structlog

MASK: Final = "***"
SECRET_NAMES: Final = re.compile(
    r"secret|password|authorization|cookie|token|applicant|phone|email|address|digest",
    re.IGNORECASE,
)
PATTERNS: Final = (
    re.compile(r"\bdh_[a-z]+_[0-9A-Za-z]{8}_[0-9A-Za-z]+"),  # a whole key; its prefix may be told
    re.compile(r"\bwhsec_[0-9A-Za-z+/=_-]+"),
    re.compile(r"(?i)\bbearer\s+\S+"),
    re.compile(r"postgres(?:ql)?(?:\+\w+)?://\S+"),
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"),
    re.compile(r"(?<![\w.:+-])(?:\+84|0)\d{9}(?![\w.:-])"),  # a telephone number
    re.compile(r"(?<![\w.:+-])\d{12}(?![\w.:-])"),  # a citizen's number (CCCD)
    re.compile(r"(?<![\w.:+-])\d{9}(?![\w.:-])"),  # an old identity number (CMND)
)


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send every log of this process to a stream as JSON lines, from a level on.

    :param stream: standard output when None.
    """
    handler = logging.StreamHandler(sys.stdout if stream is None else stream)
    handler.setFormatter(formatter())
    root = logging.getLogger()
    for former in list(root.handlers):
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "apscheduler", "uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def formatter() -> logging.Formatter:
    """Return what turns a record into a masked JSON line."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
        ],
        processors=[
            _time,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _fault,
            masked,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )


Event = MutableMapping[str, Any]


def _time(_logger: object, _method: str, event: Event) -> Event:
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        event["ts"] = datetime.fromtimestamp(record.created, UTC).isoformat()
    return event


def _fault(_logger: object, _method: str, event: Event) -> Event:
    """Tell where an exception arose and of what kind, not what it says: that may quote data."""
    told = event.pop("exc_info", None)
    if isinstance(told, tuple) and isinstance(told[1], BaseException):
        error = told[1]
        frames = traceback.extract_tb(error.__traceback__)
        event["error"] = type(error).__name__
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]]
        if error.__cause__ is not None:
            event["cause"] = type(error.__cause__).__name__
    return event


def masked(_logger: object, _method: str, event: Event) -> Mapping[str, Any]:
    """Hide the values of telling names, and whatever looks like a person or a secret."""
    return {name: _mask(name, value) for name, value in event.items()}


def _mask(name: str, value: object) -> object:
    if SECRET_NAMES.search(name) and value is not None:
        return MASK
    match value:
        case str():
            for pattern in PATTERNS:
                value = pattern.sub(MASK, value)
            return value
        case dict():
            return {inner: _mask(str(inner), each) for inner, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_mask("", each) for each in value]
        case _:
            return value
