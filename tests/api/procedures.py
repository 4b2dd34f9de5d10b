"""Procedures with a limit of each kind, and one dossier to send under any of them."""

from fastapi.testclient import TestClient

MOST = {"source": "unverified", "valid_from": "2020-01-01"}
LIMITS = {
    "DAYS": {"kind": "working_days", "value": 5, "legal_basis": "NĐ 61/2018, Điều 19", **MOST},
    "HALF": {"kind": "working_days", "value": 2.5, **MOST},
    "CALENDAR": {"kind": "calendar_days", "value": 10, **MOST},
    "HOURS": {"kind": "working_hours", "value": 8, **MOST},
    "SAME_DAY": {"kind": "same_day", "cutoff": "15:00", **MOST, "source": "verified"},
    "NONE": {"kind": "none", **MOST},
    "SHIFT": {"kind": "working_days", "value": 5, "pauses": {"supplement": "shift"}, **MOST},
}


def put(client: TestClient, sender: dict[str, str], **facts: object) -> None:
    """Send the dossier HS-1, received on Monday 3 August 2026."""
    told = {
        "unit": "H44.1",
        "procedure": "DAYS",
        "channel": "in_person",
        "received_at": "2026-08-03T09:10:00+07:00",
        "status": "processing",
        "source_updated_at": "2026-08-03T09:10:05+07:00",
    }
    answer = client.put("/v1/dossiers/HS-1", json=told | facts, headers=sender)
    assert answer.status_code in (200, 201), answer.text
