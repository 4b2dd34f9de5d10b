"""Settings: every one known, no secret by default, none in a message."""

import stat
from pathlib import Path

import pytest

from app.settings import Environment, Settings, SettingsInvalid, load

URL = "postgresql://dunghan:s3cret-word@db.example/dunghan"
KEY = "k" * 32


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DUNGHAN_DATA_DIR", "DUNGHAN_VENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_any_setting_the_service_is_local_and_embedded() -> None:
    settings = load()

    assert settings.environment is Environment.PRODUCTION
    assert settings.database_url is None
    assert settings.host == "127.0.0.1"


def test_a_name_that_nobody_knows_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNGHAN_PROT", "8000")

    with pytest.raises(SettingsInvalid, match="unknown: DUNGHAN_PROT"):
        load()


def test_what_the_starter_reads_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNGHAN_VENV", "/somewhere")

    assert load().port == 8000


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(URL + "\n")
    monkeypatch.setenv("DUNGHAN_DATABASE_URL_FILE", str(tmp_path / "url"))
    monkeypatch.setenv("DUNGHAN_HASH_KEY", KEY)

    url = load().database_url

    assert url is not None
    assert url.get_secret_value() == URL.replace("postgresql", "postgresql+psycopg", 1)


def test_what_is_no_secret_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNGHAN_PORT_FILE", "port")

    with pytest.raises(SettingsInvalid, match="unknown: DUNGHAN_PORT_FILE"):
        load()


def test_a_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNGHAN_HASH_KEY", KEY)
    monkeypatch.setenv("DUNGHAN_HASH_KEY_FILE", "key")

    with pytest.raises(SettingsInvalid, match="given twice"):
        load()


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNGHAN_HASH_KEY_FILE", "nowhere.key")

    with pytest.raises(SettingsInvalid, match=r"nowhere\.key"):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DUNGHAN_PORT", "99999"),
        ("DUNGHAN_HASH_KEY", "s3cret-word"),
        ("DUNGHAN_DATABASE_URL", "mysql://u:s3cret-word@h/d"),
        ("DUNGHAN_ENVIRONMENT", "prod"),
        ("DUNGHAN_WEBHOOK_ALLOW_NETWORKS", "10.0.0.0/8, ten"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid, match=name) as caught:
        load()

    assert "s3cret-word" not in str(caught.value)


def test_a_database_of_ones_own_needs_a_key_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", URL)

    with pytest.raises(SettingsInvalid, match="DUNGHAN_HASH_KEY") as caught:
        load()

    assert "s3cret-word" not in str(caught.value)


@pytest.mark.parametrize("scheduler", ["true", "false"])
def test_several_workers_need_a_database_of_their_own(
    monkeypatch: pytest.MonkeyPatch, scheduler: str
) -> None:
    monkeypatch.setenv("DUNGHAN_WORKERS", "2")
    monkeypatch.setenv("DUNGHAN_SCHEDULER", scheduler)

    with pytest.raises(SettingsInvalid, match="DUNGHAN_WORKERS"):
        load()


def test_networks_are_read_from_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNGHAN_WEBHOOK_ALLOW_NETWORKS", "10.0.0.0/8, fd00::/8,")

    assert [str(network) for network in load().webhook_allow_networks] == ["10.0.0.0/8", "fd00::/8"]


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNGHAN_DATABASE_URL", URL)
    monkeypatch.setenv("DUNGHAN_HASH_KEY", "s3cret-word" + KEY)

    assert "s3cret-word" not in repr(load())


def test_the_key_of_an_embedded_database_is_made_once_and_is_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")

    first = settings.applicant_key()

    assert settings.applicant_key() == first
    assert len(first) >= 32
    kept = tmp_path / "data" / "hash.key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["hash.key"]


def test_a_key_that_is_given_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUNGHAN_HASH_KEY", KEY)

    assert load().applicant_key() == KEY.encode()


MAIL = {
    "DUNGHAN_SMTP_HOST": "mail.example",
    "DUNGHAN_MAIL_FROM": "dung-han@example.gov.vn",
    "DUNGHAN_PUBLIC_URL": "https://dung-han.example/",
}


def test_a_mail_server_needs_a_sender_and_an_address_for_links(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in MAIL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DUNGHAN_MAIL_DOMAINS", "gov.vn, example.vn")

    settings = load()

    assert settings.public_url == "https://dung-han.example"
    assert settings.mail_domains == ("gov.vn", "example.vn")
    for name in ("DUNGHAN_MAIL_FROM", "DUNGHAN_PUBLIC_URL"):
        monkeypatch.delenv(name)
        with pytest.raises(SettingsInvalid, match="DUNGHAN_SMTP_HOST needs"):
            load()
        monkeypatch.setenv(name, MAIL[name])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DUNGHAN_PUBLIC_URL", "dung-han.example"),
        ("DUNGHAN_PUBLIC_URL", "ftp://dung-han.example"),
        ("DUNGHAN_PUBLIC_URL", "https://dung-han.example/?a=b"),
        ("DUNGHAN_SMTP_SECURITY", "perhaps"),
    ],
)
def test_what_no_mail_could_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for each, told in MAIL.items():
        monkeypatch.setenv(each, told)
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid, match=name):
        load()


def test_a_password_is_never_sent_in_the_open(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {"DUNGHAN_SMTP_USER": "u", "DUNGHAN_SMTP_SECURITY": "none"}
    for name, value in (MAIL | more).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid, match="DUNGHAN_SMTP_USER needs"):
        load()
