"""The image and the compose file, read rather than built: CI has no container engine."""

import json
import re
from typing import Any

import pytest
import yaml

from app.settings import Settings, file_name_of, variable_of
from tests.contracts.repository import ROOT

DOCKERFILE = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
KNOWN = {variable_of(name) for name in Settings.model_fields}
KNOWN |= {file_name_of(name) for name in Settings.model_fields}


def instructions(word: str) -> list[str]:
    """Return what follows each instruction of a kind, in the last stage."""
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    return re.findall(rf"^{word}\s+(.*)$", last, re.MULTILINE)


def test_the_image_runs_as_an_ordinary_user_with_a_number() -> None:
    assert instructions("USER") == ["10001:10001"]


def test_the_image_runs_the_service_itself_so_that_it_hears_signals() -> None:
    for word in ("ENTRYPOINT", "CMD"):
        (form,) = instructions(word)
        assert isinstance(json.loads(form), list)
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_the_image_installs_by_hash_and_keeps_no_installer() -> None:
    assert "--require-hashes -r /build/requirements.txt" in DOCKERFILE
    assert "pip uninstall --yes pip" in DOCKERFILE


def test_the_image_checks_its_health_without_further_tools() -> None:
    (check,) = instructions("HEALTHCHECK")

    command = json.loads(check.split("CMD", 1)[1])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "healthcheck", "exec")


@pytest.mark.parametrize("label", ["title", "licenses", "version", "revision", "created"])
def test_the_image_says_what_it_is(label: str) -> None:
    assert f"org.opencontainers.image.{label}=" in DOCKERFILE


def test_what_the_image_copies_exists_and_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert {f"!{source}", f"!{source}/"} & set(ignored), source


def test_every_setting_of_the_compose_file_is_known() -> None:
    for service in COMPOSE["services"].values():
        given = {name for name in service.get("environment", {}) if name.startswith("DUNGHAN_")}
        assert given <= KNOWN


def test_the_service_is_confined_and_has_time_to_finish() -> None:
    for name, service in COMPOSE["services"].items():
        if name == "postgres":
            continue
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["stop_grace_period"] == "30s"


def test_no_port_is_open_to_the_world_and_no_secret_is_written_down() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert not [name for name in service.get("environment", {}) if name.endswith("PASSWORD")]
