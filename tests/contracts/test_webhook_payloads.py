"""What is sent to receivers is what the description says, to the field."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import orjson
import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel, ValidationError, create_model

from app.api.webhook_events import EVENT_MODELS
from app.domain.alert import Level, Stage
from app.main import create_app
from app.store import webhooks
from app.store.alerts import Kept
from app.store.outbox import claim
from app.store.session import Database, WriteSession
from app.store.silences import Fallen
from app.usecases import outbox, silences
from tests import feed_world
from tests.contracts.repository import ROOT
from tests.factories import local, make_source, make_unit
from tests.store.test_alerts import alert_of
from tests.usecases import test_editions

NOW = local("2026-08-07", 1)


def strictly(model: type[BaseModel]) -> type[BaseModel]:
    """Return a model that refuses what it does not describe, all the way down."""
    fields: dict[str, Any] = {
        name: (_strictly(field.annotation), field) for name, field in model.model_fields.items()
    }
    return create_model(model.__name__, __config__={"extra": "forbid"}, **fields)


def _strictly(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return strictly(kind)
    match getattr(kind, "__args__", ()), getattr(kind, "__origin__", None):
        case (inner,), origin if origin is list:
            return list[_strictly(inner)]  # type: ignore[misc]  # made as it runs
        case (inner, other), _ if other is type(None):
            return _strictly(inner) | None
    return kind


def check(payload: dict[str, Any]) -> None:
    """Hold the bytes that are sent against the model of their kind."""
    strictly(EVENT_MODELS[payload["type"]]).model_validate_json(outbox.body_of(payload))


def test_an_alert_is_as_described_late_or_in_time(session: WriteSession) -> None:
    unit = make_unit(session)
    late = alert_of(unit, make_source(session), "A/1").alert
    soon = replace(
        late, stage=Stage(-2, Level.UNIT), dossier=replace(late.dossier, late_since=None)
    )

    for alert, kind in ((late, outbox.OVERDUE), (soon, outbox.DUE_SOON)):
        payload = outbox.payload_of(alert, recipient="H44")
        assert payload["type"] == kind
        check(payload)


def test_a_summary_is_as_described() -> None:
    kept = [Kept(1, "H44.1", 2, "overdue+1", 3), Kept(1, "H44.1", 2, "due", 1)]

    check(outbox.summary_payload(uuid4(), kept, run="nightly:2026-08-07", as_of=NOW))


def test_a_silence_is_as_described() -> None:
    fallen = Fallen(uuid4(), "mot-cua", date(2026, 8, 3), 1)

    check(silences.payload_of(fallen, now=NOW))


def test_a_trial_is_as_described() -> None:
    check(outbox.trial_payload(webhook_id=uuid4(), now=NOW))


def test_an_edition_is_as_described_with_the_feed_that_it_carries(database: Database) -> None:
    world, webhook_id = feed_world.make_world(database), uuid4()
    with world.database.begin() as session:
        webhooks.add(
            session,
            webhook_id=webhook_id,
            unit_id=world.province.id,
            url="https://example.vn/x",
            events=[outbox.INDEX_FEED],
            secret=b"s",
            now=feed_world.NOW,
        )
    assert test_editions.issue(world) is not None

    with world.database.begin() as session:
        (claimed,) = claim(session, webhook_id, now=feed_world.NOW, limit=10)

    payload: dict[str, Any] = orjson.loads(outbox.body_of(dict(claimed.payload)))
    assert payload["data"]["feed"]["units"]
    check(payload)
    check(payload | {"data": payload["data"] | {"feed": None}})


def test_a_field_that_nobody_described_is_noticed_however_deep() -> None:
    payload: dict[str, Any] = outbox.trial_payload(webhook_id=uuid4(), now=NOW)
    summary: dict[str, Any] = outbox.summary_payload(uuid4(), [], run="r", as_of=NOW)

    for wrong in (
        payload | {"more": 1},
        payload | {"data": payload["data"] | {"name": "x"}},
        summary | {"data": summary["data"] | {"links": {"alerts": "/", "self": "/"}}},
    ):
        with pytest.raises(ValidationError):
            check(wrong)


def test_every_kind_of_event_is_described_and_named_in_the_reference() -> None:
    app = create_app(Database("postgresql+psycopg://"), secret=b"", environment="test")
    document = TestClient(app).get("/openapi.json").json()
    reference = (ROOT / "docs" / "reference" / "webhooks.md").read_text("utf-8")

    kinds = {*outbox.EVENTS, outbox.TEST}

    assert set(document["webhooks"]) == kinds == set(EVENT_MODELS)
    assert [kind for kind in sorted(kinds) if f"| `{kind}` |" not in reference] == []
    for kind, model in EVENT_MODELS.items():
        body = document["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]
        assert body["schema"] == {"$ref": f"#/components/schemas/{model.__name__}"}
        assert document["components"]["schemas"][model.__name__]["properties"]["type"] == {
            "const": kind,
            "title": "Type",
            "type": "string",
        }
