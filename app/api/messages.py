"""The form of records and events in the published description; ``feeds.native`` reads them.

The reader is stricter and quicker than a model of the web framework and tells every fault of a
record at once, so the description stands here by hand; a test holds its names equal to the
reader's.
"""

from typing import Any, Final

from app.domain.pauses import PauseKind
from app.domain.record import (
    ApplicantType,
    Channel,
    MessageKind,
    Outcome,
    ReturnMethod,
    Status,
)

Schema = dict[str, Any]


def _text(description: str, most: int = 100, **more: Any) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": most, "description": description, **more}


def _maybe(schema: Schema) -> Schema:
    return schema | {"type": [schema["type"], "null"]}


def _instant(description: str) -> Schema:
    return {
        "type": ["string", "null"],
        "format": "date-time",
        "description": f"{description} RFC 3339, có múi giờ / with its offset.",
    }


def _choice(kind: Any, description: str) -> Schema:
    return {
        "type": ["string", "null"],
        "enum": [*(one.value for one in kind), None],
        "description": description,
    }


def _flag(description: str) -> Schema:
    return {"type": ["boolean", "null"], "description": description}


def _count(description: str) -> Schema:
    return {"type": ["integer", "null"], "minimum": 0, "description": description}


CODE: Final = _text("Mã hồ sơ. / Number of the dossier in the source system.")

PAUSE: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "started_at"],
    "properties": {
        "kind": {"type": "string", "enum": [one.value for one in PauseKind]},
        "started_at": {"type": "string", "format": "date-time"},
        "ended_at": _instant("Kết thúc tạm dừng. / End; null while open."),
        "new_due_at": _instant("Hạn trả mới kèm theo. / Due date named with the pause."),
    },
}

EXTENSION: Final[Schema] = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "required": ["issued_at", "new_due_at"],
    "properties": {
        "issued_at": {"type": "string", "format": "date-time"},
        "new_due_at": {"type": "string", "format": "date-time"},
        "document": _maybe(_text("Số văn bản. / Number of the letter.")),
    },
    "description": "Thư xin lỗi và hẹn lại. / Letter of apology with a new date.",
}

RECORD_PROPERTIES: Final[Schema] = {
    "code": CODE,
    "unit": _text("Mã hoặc tên đơn vị. / Code or name of the unit.", 300),
    "procedure": _text("Mã thủ tục. / Code of the procedure."),
    "case": _maybe(_text("Trường hợp. / Case of the procedure.")),
    "channel": _choice(Channel, "Kênh tiếp nhận. / How it was handed in."),
    "applicant_type": _choice(ApplicantType, "Loại đối tượng. / Kind of applicant."),
    "applicant_key": _maybe(
        _text("Không lưu, chỉ giữ mã băm có khóa. / Never stored, only its keyed hash.")
    ),
    "submitted_at": _instant("Ngày nộp. / Handed in."),
    "received_at": _instant("Ngày tiếp nhận. / Receipt as on the slip."),
    "clock_start_at": _instant("Cơ quan có thẩm quyền nhận. / Receipt by the competent unit."),
    "due_at": _instant("Ngày hẹn trả. / The due date that the citizen was told."),
    "status": _choice(Status, "Trạng thái. / Where it stands."),
    "finished_at": _instant("Ngày kết thúc xử lý. / Finish."),
    "ended_at": _instant("Ngày kết thúc không có kết quả. / End without a result."),
    "returned_at": _instant("Ngày trả kết quả. / Result handed over."),
    "entered_at": _instant("Ngày nhập vào phần mềm. / Entered in the software."),
    "return_method": _choice(ReturnMethod, "Hình thức trả. / How the result is returned."),
    "outcome": _choice(Outcome, "Kết quả. / What was decided."),
    "place_independent": _flag("Phi địa giới. / Received at another place."),
    "other_codes": {
        "type": ["array", "null"],
        "maxItems": 20,
        "items": _text("Mã khác. / Another number of the same dossier."),
        "description": "Các mã khác của hồ sơ. / Other numbers of the same dossier.",
    },
    "pauses": {
        "type": ["array", "null"],
        "maxItems": 100,
        "items": PAUSE,
        "description": "Mọi lần tạm dừng. / Every pause, as the source knows them now.",
    },
    "extension": EXTENSION,
    "parent": _maybe(_text("Hồ sơ gốc. / Parent of a leg.")),
    "leg": _maybe(_text("Chặng liên thông. / Name of the leg.")),
    "official": _maybe(_text("Mã cán bộ, không phải tên. / Pseudonym of the official.")),
    "paid_online": _flag("Đã thanh toán trực tuyến. / Paid online."),
    "digitised": _flag("Đã số hóa. / Digitised."),
    "contacts": _count("Số lần phải liên hệ. / Contacts needed."),
    "bodies_contacted": _count("Số cơ quan phải liên hệ. / Bodies contacted."),
    "founded_complaints": _count("Phản ánh đúng. / Founded complaints."),
    "source_updated_at": {
        "type": "string",
        "format": "date-time",
        "description": "Thời điểm nguồn cập nhật. / Stamp of the source; orders the news.",
    },
}

RECORD_EXAMPLE: Final[Schema] = {
    "unit": "H44.100",
    "procedure": "1.001193",
    "channel": "online",
    "applicant_type": "citizen",
    "received_at": "2026-08-03T09:10:00+07:00",
    "due_at": "2026-08-05T17:00:00+07:00",
    "status": "processing",
    "source_updated_at": "2026-08-03T09:10:05+07:00",
}

RECORD: Final[Schema] = {
    "type": "object",
    "title": "Record",
    "additionalProperties": False,
    "required": ["unit", "procedure"],
    "properties": RECORD_PROPERTIES,
    "description": (
        "Toàn bộ hồ sơ như nguồn đang thấy. Trường vắng mặt giữ nguyên điều đã biết; null xóa đi. "
        "/ The dossier as the source sees it now. An absent field keeps what was known; null "
        "erases it."
    ),
    "examples": [RECORD_EXAMPLE],
}

EVENT_KINDS: Final = tuple(
    kind for kind in MessageKind if kind not in {MessageKind.RECORD, MessageKind.CALENDAR_CHANGE}
)

EVENT_EXAMPLE: Final[Schema] = {
    "kind": "pause",
    "at": "2026-08-04T10:00:00+07:00",
    "pause_kind": "supplement",
}

EVENT: Final[Schema] = {
    "type": "object",
    "title": "Event",
    "required": ["kind", "at"],
    "properties": {
        "code": CODE,
        "kind": {"type": "string", "enum": [kind.value for kind in EVENT_KINDS]},
        "at": {"type": "string", "format": "date-time", "description": "Khi nào. / When."},
        "source_updated_at": RECORD_PROPERTIES["source_updated_at"],
        "status": {"type": "string", "enum": [one.value for one in Status]},
        "pause_kind": {"type": "string", "enum": [one.value for one in PauseKind]},
        "new_due_at": {"type": "string", "format": "date-time"},
        "unit": RECORD_PROPERTIES["unit"],
        "due_at": {"type": "string", "format": "date-time"},
        "finished_at": {"type": "string", "format": "date-time"},
        "received_at": {"type": "string", "format": "date-time"},
        "document": _text("Số văn bản. / Number of the document."),
        "reason": _text("Mã lý do. / Code of the reason."),
        "exempt": {"type": "boolean"},
    },
    "description": (
        "Một sự kiện; các trường tùy theo `kind`. / One event; its fields depend on `kind`: "
        "step (status), pause and resume (pause_kind), extension (new_due_at, document), transfer "
        "(unit), correction (due_at, finished_at or received_at, with document and reason), "
        "reopening, void (reason), apology (document, exempt, reason)."
    ),
    "examples": [EVENT_EXAMPLE],
}


def body_of(schema: Schema, example: Schema) -> Schema:
    """Return a request body of one JSON value, for ``openapi_extra``."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        }
    }


def batch_of(name: str, schema: Schema, example: Schema) -> Schema:
    """Return a request body of many values, as one JSON document or a line each."""
    many: Schema = {
        "type": "object",
        "additionalProperties": False,
        "required": [name],
        "properties": {name: {"type": "array", "minItems": 1, "maxItems": 5000, "items": schema}},
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": many, "example": {name: [example]}},
                "application/x-ndjson": {
                    "schema": {"type": "string", "description": "Mỗi dòng một mục. / One a line."}
                },
            },
        }
    }
