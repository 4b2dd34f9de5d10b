"""Files of records as offices make them, for tests of what imports them."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone

import xlsxwriter

HEADER = (
    *("STT", "Mã hồ sơ", "Đơn vị xử lý", "Mã TTHC", "Chủ hồ sơ", "Hình thức nộp"),
    *("Ngày tiếp nhận", "Ngày hẹn trả", "Ngày kết thúc xử lý", "Trạng thái", "Ngày cập nhật"),
)
LOCAL = timezone(timedelta(hours=7))
BEGIN = datetime(2026, 6, 1, 2, tzinfo=UTC)


def record(number: int) -> dict[str, object]:
    """Return the record of a number, as the API takes it."""
    received = BEGIN + timedelta(minutes=number % 60_000)
    finished = received + timedelta(days=number % 5)
    return {
        "code": f"H44.{100 + number % 2}-{number:07}",
        "unit": f"H44.{100 + number % 2}",
        "procedure": "1.001193",
        "channel": "online" if number % 3 else "in_person",
        "received_at": _iso(received),
        "due_at": _iso(received + timedelta(days=3)),
        "finished_at": _iso(finished),
        "status": "finished",
        "source_updated_at": _iso(finished),
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(LOCAL).isoformat()


def row(number: int) -> list[object]:
    """Return the same record as a row that an office would export."""
    told = record(number)
    return [
        number + 1,
        told["code"],
        told["unit"],
        told["procedure"],
        "Nguyễn Văn A",
        "Trực tuyến" if told["channel"] == "online" else "Trực tiếp",
        *(_shown(str(told[name])) for name in ("received_at", "due_at", "finished_at")),
        "Đã xử lý xong",
        _shown(str(told["source_updated_at"])),
    ]


def _shown(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%d/%m/%Y %H:%M:%S}"


def xlsx(rows: Iterable[Sequence[object]], header: Sequence[str] = HEADER) -> bytes:
    """Return rows as a workbook."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Hồ sơ")
        for line, cells in enumerate([header, *rows]):
            sheet.write_row(line, 0, cells)
    return target.getvalue()


def as_csv(
    rows: Iterable[Sequence[object]], header: Sequence[str] = HEADER, encoding: str = "utf-8"
) -> bytes:
    """Return rows as a text."""
    target = io.StringIO(newline="")
    csv.writer(target).writerows([header, *rows])
    return target.getvalue().encode(encoding)
