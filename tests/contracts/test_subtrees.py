"""Every operation against every place: a key sees its own units and those below, and no others.

Each operation of the published description has a row: how it names a unit, or why it names none.
A new operation without a row fails.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api.openapi import doors_of
from app.deps import Installation
from app.main import create_app
from app.store.session import Database
from app.usecases import access
from app.usecases.access import Scope

NOW = datetime(2026, 8, 10, 1, 0, tzinfo=UTC)
UNITS = [
    {"code": "H44", "name": "Tỉnh Phú Thọ", "level": "province"},
    {"code": "H44.1", "name": "Sở A", "level": "department", "parent": "H44"},
    {"code": "H44.1.1", "name": "Chi nhánh A", "level": "service_point", "parent": "H44.1"},
    {"code": "H44.2", "name": "Sở B", "level": "department", "parent": "H44"},
    {"code": "H15", "name": "Tỉnh Đắk Lắk", "level": "province"},
]
OWN = "H44.1"
PLACES = {
    "own": (OWN, True),
    "child": ("H44.1.1", True),
    "parent": ("H44", False),
    "sibling": ("H44.2", False),
    "other province": ("H15", False),
    "none": ("H99", False),
}


@dataclass(frozen=True)
class Probe:
    """A request that names the unit at ``{unit}``; ``refusal`` is the status outside."""

    path: str
    body: Callable[[str], dict[str, Any]] | None = None
    refusal: int = 404


def query(path: str, more: str = "") -> Probe:
    return Probe(f"{path}?unit={{unit}}{more}")


def child(unit: str) -> dict[str, Any]:
    return {"name": "Mới", "level": "other", "parent": unit}


def nothing(_: str) -> dict[str, Any]:
    return {}


def a_posting(unit: str) -> dict[str, Any]:
    entry = {"unit": unit, "procedure": "1.001193", "applies_from": "2026-01-01"}
    return {"publications": [entry]}


def a_petition(unit: str) -> dict[str, Any]:
    entry = {"unit": unit, "code": "PA-1", "kind": "reflection", "received_on": "2026-08-03"}
    return {"petitions": [entry]}


SPAN = "&from=2026-08-01&to=2026-08-31"
PROBES: dict[str, Probe | str] = {
    "getUnit": Probe("/v1/units/{unit}"),
    "listUnits": query("/v1/units"),
    "putUnit": Probe("/v1/units/{unit}.9", child, 422),
    "putUnits": Probe(
        "/v1/units/batch", lambda unit: {"units": [{"code": f"{unit}.9", **child(unit)}]}, 422
    ),
    "postSuccession": Probe(
        "/v1/units/{unit}/succession?dry_run=true",
        lambda _: {"kind": "abolition", "effective_on": "2026-08-01", "document": "1/NQ"},
    ),
    "getCalendar": Probe("/v1/calendars/{unit}"),
    "getCalendarFile": Probe("/v1/calendars/{unit}.ics"),
    "putCalendar": Probe("/v1/calendars/{unit}", lambda unit: {"unit": unit}),
    "putCalendarExceptions": Probe("/v1/calendars/{unit}/exceptions", nothing),
    "previewCalendarExceptions": Probe("/v1/calendars/{unit}/preview", nothing),
    "calculateDueDate": Probe(
        "/v1/due-dates/calculate",
        lambda unit: {
            "calendar": {"unit": unit},
            "limit": {"kind": "working_days", "value": 1},
            "start": "2026-08-03T09:10:00+07:00",
        },
    ),
    "measureWorkingTime": Probe(
        "/v1/due-dates/elapsed",
        lambda unit: {
            "calendar": {"unit": unit},
            "start": "2026-08-03T09:10:00+07:00",
            "end": "2026-08-03T10:10:00+07:00",
        },
    ),
    "getDossier": Probe("/v1/dossiers/D-{unit}"),
    "explainDueDate": Probe("/v1/dossiers/D-{unit}/due-date"),
    "getDossierLateCause": Probe("/v1/dossiers/D-{unit}/late-cause"),
    "listLateCauses": query("/v1/late-causes"),
    "countLateCauses": query("/v1/late-causes/counts", SPAN),
    "putDossierLateCause": Probe("/v1/dossiers/D-{unit}/late-cause", lambda _: {"cause": "other"}),
    "getDossierDelay": Probe("/v1/dossiers/D-{unit}/delay"),
    "getDossierTimeline": Probe("/v1/dossiers/D-{unit}/timeline"),
    "listDossiers": query("/v1/dossiers", SPAN),
    "getStatistics": query("/v1/statistics", SPAN),
    "getDataQuality": query("/v1/data-quality", SPAN),
    "listSources": query("/v1/sources"),
    "listSilences": query("/v1/sources/silences"),
    "listPublications": query("/v1/publications"),
    "fillScorecards": Probe(
        "/v1/scorecards/qd766.profile-2026/fill?period=2026-07&unit={unit}", nothing
    ),
    "listIndexFeedEditions": query("/v1/index-feed/2026/editions"),
    "getIndexFeedEdition": "an edition is read by its number under a root, found as in the list",
    "countPublications": query("/v1/publications/counts", SPAN),
    "putPublications": Probe("/v1/publications", a_posting, 422),
    "listPetitions": query("/v1/petitions"),
    "countPetitions": query("/v1/petitions/counts", SPAN),
    "putPetitions": Probe("/v1/petitions", a_petition, 422),
    "listPeriods": query("/v1/periods"),
    "getRanking": query("/v1/rankings", SPAN),
    "getTrends": query("/v1/trends", SPAN),
    "listOverdue": query("/v1/overdue"),
    "listDueSoon": query("/v1/due-soon"),
    "listAlerts": query("/v1/alerts"),
    "getAlertSetting": Probe("/v1/alert-settings/{unit}"),
    "putAlertSetting": Probe("/v1/alert-settings/{unit}", lambda _: {"stages": []}),
    "inheritAlertSetting": Probe("/v1/alert-settings/{unit}"),
    "listRetirements": query("/v1/retirements"),
    "putRetirement": Probe(
        "/v1/retirements/{unit}/t",
        lambda _: {"from": "2026-07-01", "reason": "Thay hệ thống"},
    ),
    "getPrecedence": Probe("/v1/precedence/{unit}"),
    "putPrecedence": Probe("/v1/precedence/{unit}", lambda _: {"source": None}),
    "getIndexFeed": query("/v1/index-feed/2026", "&rule_set=progress.feed-1"),
    "listLetters": query("/v1/letters"),
    "getLetterRegister": query("/v1/letters/register.xlsx"),
    "getLetterPage": Probe("/v1/letters/D-{unit}.html"),
    "getLetterFile": Probe("/v1/letters/D-{unit}.pdf"),
    "getApology": Probe("/v1/dossiers/D-{unit}/apology"),
    "putApology": Probe(
        "/v1/dossiers/D-{unit}/apology",
        lambda _: {"issued_at": "2026-08-05T10:00:00+07:00"},
    ),
    "listMutes": query("/v1/mutes"),
    "addMute": Probe(
        "/v1/mutes",
        lambda unit: {
            "unit": unit,
            "reason": "in_hand",
            "until": "2026-08-12T00:00:00+07:00",
        },
    ),
    "listSubscriptions": query("/v1/subscriptions"),
    "listWebhooks": query("/v1/webhooks"),
    "listScorecards": query("/v1/scorecards/progress.feed-1", "&period=2026-08"),
    "putScorecardInputs": Probe(
        "/v1/scorecards/progress.feed-1/{unit}/inputs?period=2026-08", nothing
    ),
    "listLostPoints": Probe(
        "/v1/scorecards/progress.feed-1/{unit}/lost-points?period=2026-08&scope=subtree"
    ),
    "freezePeers": Probe("/v1/scorecards/progress.feed-1/{unit}/peers?period=2026-08", nothing),
    # what names no unit, and why that leaks nothing
    "listLetterExemptions": "reasons belong to all units",
    "previewProcedure": "only a whole tree may; dossiers of other trees are counted, not shown",
    "putProcedure": "procedures belong to all units; only a whole tree may change them",
    "putProcedures": "procedures belong to all units; only a whole tree may change them",
    "getProcedure": "procedures belong to all units",
    "listProcedures": "procedures belong to all units",
    "listDefinitions": "definitions belong to all units",
    "listPeriodKinds": "kinds of periods belong to all units",
    "listRuns": "runs are of the whole installation and count no unit's dossiers apart",
    "doRun": "a run is of the whole installation, whoever asks for it",
}
ELSEWHERE = {
    "reverseSuccession": "tests/api/test_successions.py: the unit of a succession",
    "closePeriod": "tests/api/test_periods.py: the unit is in the body beside the days",
    "getPeriod": "tests/api/test_periods.py: by the id of a closed period",
    "listRestatements": "tests/api/test_periods.py: by the id of a closed period",
    "importCalendar": "a preview or a put of one calendar, as putCalendarExceptions",
    "importRecords": "as postDossiers, from a file",
    "getImport": "by the id of an import of the caller's own source",
    "getImportErrors": "by the id of an import of the caller's own source",
    "listUnitMappings": "mappings belong to the root of the key that told them",
    "listProcedureMappings": "mappings belong to the root of the key that told them",
    "putUnitMappings": "mappings belong to the root of the key that told them",
    "putProcedureMappings": "mappings belong to the root of the key that told them",
    "listQuarantine": "tests/api/test_quarantine.py: by the unit that sent",
    "getQuarantined": "tests/api/test_quarantine.py: by the id of an entry",
    "retryQuarantined": "tests/api/test_quarantine.py: by the id of an entry",
    "putDossier": "tests/api/test_dossiers.py: a unit outside goes to the key's unknown unit",
    "postDossiers": "as putDossier",
    "postDossierEvent": "as putDossier",
    "postEvents": "as putDossier",
    "acknowledgeAlert": "tests/api/test_alerts.py: by the id of an alert",
    "liftMute": "tests/api/test_mutes.py: by the id of a mute",
    "addSubscription": "tests/api/test_subscriptions.py: the unit is in the body",
    "getSubscription": "tests/api/test_subscriptions.py: by the id of a subscription",
    "removeSubscription": "tests/api/test_subscriptions.py: by the id of a subscription",
    "listMailAttempts": "tests/api/test_subscriptions.py: by the id of a subscription",
    "listMails": "tests/usecases/test_subscriptions.py: by the id of a subscription",
    "putLateCauses": "tests/api/test_late_causes.py: the unit is in the body",
    "assignLateCause": "tests/api/test_late_causes.py: by the numbers of dossiers",
    "addWebhook": "tests/api/test_webhooks.py: the unit is in the body beside an address",
    "getWebhook": "tests/api/test_webhooks.py: by the id of a receiver",
    "removeWebhook": "tests/api/test_webhooks.py: by the id of a receiver",
    "testWebhook": "tests/api/test_webhooks.py: by the id of a receiver",
    "rotateWebhookSecret": "tests/api/test_webhooks.py: by the id of a receiver",
    "listDeliveries": "tests/api/test_webhooks.py: by the id of a receiver",
    "getScorecard": "tests/api/test_scorecards.py: by the unit, where it has a sheet",
    "supposeScorecard": "as getScorecard",
    "listScorecardRounds": "tests/api/test_rounds.py: by the unit, where it has a sheet",
    "postScorecardRound": "tests/api/test_rounds.py: by the unit, and who stands above it",
    "postEvidence": "tests/api/test_evidence.py: the unit is named beside a file",
    "listEvidence": "tests/api/test_evidence.py: files of the key's own units",
    "getEvidence": "tests/api/test_evidence.py: by the unit that holds the file",
    "getEvidenceFile": "tests/api/test_evidence.py: by the unit that holds the file",
    "lintRuleSet": "reads the text that is sent and nothing else",
    "listRuleSets": "tests/api/test_rule_sets.py: sets of units above and below the key",
    "getRuleSet": "tests/api/test_rule_sets.py: by the unit that owns it",
    "putRuleSet": "tests/api/test_rule_sets.py: by the unit that owns it",
    "listRuleSetVersions": "tests/api/test_rule_sets.py: by the unit that owns it",
    "confirmRuleSetNumbers": "tests/usecases/test_rule_sets.py: for the key's own units",
    "replayEvents": "tests/api/test_webhooks.py: by the id of a receiver",
}


@pytest.fixture
def app(database: Database) -> FastAPI:
    return create_app(database, secret=b"x" * 32, clock=lambda: NOW, environment="test")


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as made:
        yield made


def key_of(app: FastAPI, unit: str | None) -> dict[str, str]:
    installation: Installation = app.state.installation
    with installation.database.begin() as session:
        key = access.issue_key(
            session,
            installation.keyring,
            name="t",
            source="t",
            unit=unit,
            scopes=tuple(Scope),
            actor="t",
            now=NOW,
        ).key
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def own_key(app: FastAPI, client: TestClient) -> dict[str, str]:
    """Seed units, a calendar and a dossier in each, and give the key of one unit."""
    whole = key_of(app, None)
    assert client.post("/v1/units/batch", json={"units": UNITS}, headers=whole).is_success
    procedure = {"name": "Đăng ký khai sinh"}
    assert client.put("/v1/procedures/1.001193", json=procedure, headers=whole).is_success
    for unit in UNITS:
        code = unit["code"]
        told = {
            "unit": code,
            "procedure": "1.001193",
            "status": "processing",
            "received_at": "2026-08-03T09:10:00+07:00",
            "due_at": "2026-08-06T17:00:00+07:00",
            "source_updated_at": "2026-08-03T09:10:05+07:00",
        }
        made = client.put(f"/v1/calendars/{code}", json={"unit": code}, headers=whole)
        sent = client.put(f"/v1/dossiers/D-{code}", json=told, headers=whole)
        assert made.is_success, made.text
        assert sent.is_success, sent.text
    return key_of(app, OWN)


def test_every_operation_has_a_row(app: FastAPI) -> None:
    guarded = {door.operation_id for door in doors_of(app) if not door.guard.is_open}
    known = PROBES.keys() | ELSEWHERE.keys()

    assert guarded - known == set()


PROBED = [name for name, row in PROBES.items() if isinstance(row, Probe)]


@pytest.mark.parametrize("operation", PROBED)
def test_a_key_reaches_its_own_units_and_no_others(
    app: FastAPI, client: TestClient, own_key: dict[str, str], operation: str
) -> None:
    door = next(each for each in doors_of(app) if each.operation_id == operation)
    probe = PROBES[operation]
    assert isinstance(probe, Probe)
    method = next(iter(door.methods or ()))
    wrong = []

    for place, (unit, is_within) in PLACES.items():
        answer = client.request(
            method,
            probe.path.format(unit=unit),
            json=None if probe.body is None else probe.body(unit),
            headers=own_key,
        )
        fits = answer.is_success if is_within else answer.status_code == probe.refusal
        if not fits:
            wrong.append((place, answer.status_code, answer.text[:200]))

    assert wrong == []


@pytest.mark.parametrize("operation", [*PROBES, *ELSEWHERE])
def test_without_a_key_nothing_is_reached(app: FastAPI, client: TestClient, operation: str) -> None:
    door = next(each for each in doors_of(app) if each.operation_id == operation)
    assert not door.guard.is_open

    for method in door.methods or ():
        answer = client.request(method, door.path, content=b"not read")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
