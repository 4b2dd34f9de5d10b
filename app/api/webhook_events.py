"""What receivers of events are sent: the bodies as models, for the description of the doors alone.

The bodies are built by the use cases; a contract test holds every one of them against its model.
"""

from datetime import date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.api.index_feed import EditionLinksOut, IndexFeedOut
from app.usecases import outbox


class EventPart(BaseModel):
    """A part of an event; more fields may come within ``/v1``, receivers ignore what is new."""

    model_config = ConfigDict(frozen=True)


class AlertLinks(EventPart):
    """Where more is read, with a key."""

    dossier: str
    due_date: str


class WarningData(EventPart):
    """A dossier in time that has reached a stage at or before its due day."""

    alert: UUID = Field(description="Mã cảnh báo, cũng là `webhook-id`. / Also the `webhook-id`.")
    code: str = Field(examples=["H44.100-260803-0012"])
    source: str = Field(examples=["mot-cua"])
    unit: str = Field(description="Đơn vị đang giữ hồ sơ. / The unit that holds the dossier.")
    stage: str = Field(
        description="`due-2`, `due`, `overdue+1`: số ngày làm việc so với ngày hẹn. / So many "
        "working days from the due day.",
        examples=["overdue+1"],
    )
    level: str = Field(description="`unit`, `head`, `parent`, `province`.", examples=["head"])
    recipient: str = Field(description="Đơn vị cần biết. / The unit that is to know.")
    episode: Annotated[int, Field(ge=1)] = Field(
        description="Thêm một mỗi lần lỡ một hạn khác. / One more with each other due date missed."
    )
    due_on: date
    due_at: datetime
    links: AlertLinks


class OverdueData(WarningData):
    """A dossier in hand that has reached a stage after its due day."""

    late_since: datetime = Field(description="Thời điểm bắt đầu trễ. / The first late instant.")


class SummaryLinks(EventPart):
    """Where the alerts of the run are listed."""

    alerts: str


class SummaryData(EventPart):
    """How many alerts of a run are not sent one by one."""

    summary: UUID
    run: str
    total: int
    stages: dict[str, int] = Field(description="Số cảnh báo theo mốc. / Alerts by stage.")
    units: dict[str, int] = Field(description="Các đơn vị nhiều nhất. / The units with the most.")
    units_not_named: int
    links: SummaryLinks


class SilenceLinks(EventPart):
    """Where sources are listed."""

    sources: str


class SilenceData(EventPart):
    """A source system that has fallen silent."""

    silence: UUID
    source: str
    last_heard_on: date
    rhythm_working_days: int = Field(
        description="Bình thường cứ ngần này ngày làm việc lại gửi. / Its usual rhythm."
    )
    links: SilenceLinks


class EditionData(EventPart):
    """A new edition of the index feed."""

    unit: str
    rule_set: str
    year: int
    edition: int
    known_at: datetime
    hash: str
    previous_hash: str | None = Field(description="Null: bản đầu tiên. / The first edition.")
    is_final: bool
    links: EditionLinksOut
    feed: IndexFeedOut | None = Field(
        description="Null khi quá lớn: đọc qua `links`. / Null when too large: read the link."
    )


class TrialData(EventPart):
    """The receiver that is tried."""

    webhook: UUID


class DossierOverdue(EventPart):
    """Hồ sơ đang giữ đã quá hạn đến một mốc. / A dossier in hand is late by a stage."""

    type: Literal["dossier.overdue"]
    timestamp: datetime = Field(description="Lúc đến mốc. / When the stage came.")
    data: OverdueData


class DossierDueSoon(EventPart):
    """Hồ sơ sắp đến hạn trả. / A dossier in time is near its due day."""

    type: Literal["dossier.due_soon"]
    timestamp: datetime
    data: WarningData


class AlertsSummary(EventPart):
    """Cảnh báo không gửi riêng từng hồ sơ. / Alerts that are not sent one by one."""

    type: Literal["alerts.summary"]
    timestamp: datetime
    data: SummaryData


class SourceSilent(EventPart):
    """Phần mềm nguồn đã ngừng gửi. / A source system has fallen silent."""

    type: Literal["source.silent"]
    timestamp: datetime
    data: SilenceData


class IndexFeedIssued(EventPart):
    """Bản mới của chỉ số. / A new edition of the index feed."""

    type: Literal["index.feed"]
    timestamp: datetime
    data: EditionData


class WebhookTest(EventPart):
    """Thử nơi nhận. / A receiver is tried."""

    type: Literal["webhook.test"]
    timestamp: datetime
    data: TrialData


EVENT_MODELS: Final[dict[str, type[EventPart]]] = {
    outbox.OVERDUE: DossierOverdue,
    outbox.DUE_SOON: DossierDueSoon,
    outbox.SUMMARY: AlertsSummary,
    outbox.SOURCE_SILENT: SourceSilent,
    outbox.INDEX_FEED: IndexFeedIssued,
    outbox.TEST: WebhookTest,
}
"""The body of every kind of event that is ever sent."""

_TEMPLATE: Final = "#/components/schemas/{model}"
_HEADERS: Final = (
    ("webhook-id", "Như nhau ở mọi lần gửi. / The same at every attempt."),
    ("webhook-timestamp", "Giây của lần gửi. / Seconds since 1970 of the attempt."),
    ("webhook-signature", "`v1,` và chữ ký HMAC-SHA256. / Signatures, separated by blanks."),
)


def describe(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document the requests that receivers are sent, and their bodies."""
    schemas = document["components"]["schemas"]
    webhooks = document.setdefault("webhooks", {})
    for kind, model in EVENT_MODELS.items():
        schema = model.model_json_schema(ref_template=_TEMPLATE, mode="serialization")
        for name, part in schema.pop("$defs", {}).items():
            schemas.setdefault(name, part)
        schemas[model.__name__] = schema
        webhooks[kind] = {"post": _request(kind, model)}


def _request(kind: str, model: type[EventPart]) -> dict[str, Any]:
    return {
        "operationId": f"receive{model.__name__}",
        "tags": ["webhooks"],
        "summary": kind,
        "description": model.__doc__,
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in _HEADERS
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": _TEMPLATE.format(model=model.__name__)},
                }
            },
        },
        "responses": {"2XX": {"description": "Đã nhận. / Stored; anything else is sent again."}},
    }
