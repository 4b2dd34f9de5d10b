"""The worker as a process: the whole way from a late dossier to a signed webhook."""

import os
import queue
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from app.clock import system_clock
from app.senders.seal import Sealer
from app.store import webhooks
from app.store.session import Database
from app.usecases.webhooks import new_secret
from tests.factories import add_dossier, make_source, make_unit

ROOT = Path(__file__).resolve().parents[2]
KEY = "k" * 32


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_flags_delivers_and_leaves_when_told(
    fresh_database: Database, migrated_url: str, httpserver: HTTPServer, sign: signal.Signals
) -> None:
    secret, webhook_id = new_secret(), uuid4()
    arrived: queue.Queue[int] = queue.Queue()

    def take(request: Request) -> Response:
        told = Webhook(secret).verify(request.get_data(), dict(request.headers))
        arrived.put(told["data"]["total"])
        return Response(status=204)

    httpserver.expect_request("/hook").respond_with_handler(take)
    with fresh_database.begin() as session:
        unit = make_unit(session)
        add_dossier(session, unit, make_source(session), "A", due_on="2026-03-02")
        webhooks.add(
            session,
            webhook_id=webhook_id,
            unit_id=unit.id,
            url=httpserver.url_for("/hook"),
            events=["alerts.summary"],
            secret=Sealer(KEY.encode()).seal(secret, owner=str(webhook_id)),
            now=system_clock(),
        )

    with subprocess.Popen(
        [sys.executable, "-m", "app", "worker"],
        cwd=ROOT,
        env={
            **{name: told for name, told in os.environ.items() if not name.startswith("DUNGHAN_")},
            "DUNGHAN_DATABASE_URL": migrated_url,
            "DUNGHAN_HASH_KEY": KEY,
            "DUNGHAN_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
        },
        stderr=subprocess.DEVNULL,
    ) as worker:
        try:
            total = arrived.get(timeout=180)
            worker.send_signal(sign)
            left_with = worker.wait(120)
        finally:
            worker.kill()

    assert total == 3  # long late when first seen: three stages, told in one event
    assert left_with == 0
    assert arrived.empty()
