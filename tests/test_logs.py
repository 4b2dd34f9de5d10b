"""Log lines: JSON, masked, and without what an exception says."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from app import logs

CANARIES = [
    "001099012345",
    "012345678",
    "0912345678",
    "+84912345678",
    "nguyen.van.a@example.vn",
    "dh_demo_abcdefgh_" + "A" * 43,
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "Bearer abc.def",
    "postgresql+psycopg://user:pass@host/db",
]


@pytest.fixture
def told() -> Iterator[Any]:
    """Log through the real formatter and give the last line as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter())
    logger = logging.getLogger("test.logs")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False

    def last(message: str, **more: Any) -> dict[str, Any]:
        logger.info(message, **more)
        found: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
        return found

    yield last
    logger.removeHandler(handler)
    logger.propagate = True


def test_an_event_is_one_line_with_its_fields(told: Any) -> None:
    line = told("night done", extra={"slot": "2026-08-10", "found": 3})

    assert line["event"] == "night done"
    assert line["level"] == "info"
    assert line["logger"] == "test.logs"
    assert (line["slot"], line["found"]) == ("2026-08-10", 3)
    assert line["ts"].endswith("+00:00")


@pytest.mark.parametrize("canary", CANARIES)
def test_what_must_not_be_read_is_masked_wherever_it_stands(told: Any, canary: str) -> None:
    line = told(f"said {canary} here", extra={"plain": canary, "deep": {"in": [canary]}})

    assert canary not in json.dumps(line)


@pytest.mark.parametrize("name", ["secret", "applicant_key", "Authorization", "phone"])
def test_the_value_of_a_telling_name_is_masked(told: Any, name: str) -> None:
    assert told("x", extra={name: "anything"})[name] == logs.MASK


@pytest.mark.parametrize(
    "value", ["H44.100-260803-0012", "2026-08-03T09:10:00+07:00", "dh_demo_abcdefgh", "1.001193"]
)
def test_codes_and_instants_are_left_as_they_are(told: Any, value: str) -> None:
    assert told("x", extra={"value": value})["value"] == value


def test_an_exception_tells_its_kind_and_place_and_not_what_it_says(told: Any) -> None:
    with pytest.raises(ValueError, match="int") as raised:
        int("Nguyễn Văn A, 001099012345")

    line = told("failed", exc_info=raised.value)

    assert line["error"] == "ValueError"
    assert "test_logs.py" in line["at"][-1]
    assert "Nguyễn" not in json.dumps(line, ensure_ascii=False)


def test_the_whole_process_logs_to_one_stream_from_a_level_on() -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()

    logs.configure("warning", stream)
    logging.getLogger("some.part").info("hidden")
    logging.getLogger("some.part").warning("shown")
    root.handlers, root.level = handlers, level

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["shown"]
