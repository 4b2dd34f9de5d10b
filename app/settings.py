"""Every setting of the service, read once from the environment.

Names begin with ``DUNGHAN_``. A secret ``DUNGHAN_X`` can be given as ``DUNGHAN_X_FILE``, the path
of a file that holds it. A name that nobody knows stops the start: it is a typing slip, and the
setting that was meant would silently keep its default. No secret has a default.
"""

import os
import secrets
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX: Final = "DUNGHAN_"
ZONE: Final = "Asia/Ho_Chi_Minh"
"""The zone in which a day begins and ends; the law's, so not a setting."""

FOR_THE_STARTER: Final = frozenset({"DUNGHAN_VENV", "DUNGHAN_WHEELS"})
"""Names that ``run.py`` reads before the service exists."""


class Environment(StrEnum):
    """What this installation is for."""

    PRODUCTION = "production"
    DEMO = "demo"
    TEST = "test"


class LogLevel(StrEnum):
    """How much the log tells."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class SmtpSecurity(StrEnum):
    """How the way to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class SettingsInvalid(ValueError):
    """The environment cannot be used as it stands; the message names each setting, no value."""


class Settings(BaseSettings):
    """The settings, checked. ``load`` reads them; nothing else looks at the environment."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    environment: Environment = Field(
        Environment.PRODUCTION, description="What this installation is for."
    )
    database_url: SecretStr | None = Field(
        None,
        description="A PostgreSQL 15 or newer; when unset, the embedded one under the data folder.",
    )
    database_pool_size: int = Field(8, ge=1, le=200, description="Connections kept open.")
    database_behind_pooler: bool = Field(
        False, description="A transaction pooler such as PgBouncer stands before the database."
    )
    statement_timeout_ms: int = Field(
        20_000, ge=100, description="Longest time for one statement, in milliseconds."
    )
    data_dir: Path = Field(Path("data"), description="Where files of the service are kept.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 picks a free one.")
    workers: int = Field(1, ge=1, le=64, description="Server processes; more need a database URL.")
    scheduler: bool = Field(True, description="Run the nightly work inside `serve`.")
    hash_key: SecretStr | None = Field(
        None,
        description="Key of the hash that stands for an applicant, 32 characters or more; "
        "made once under the data folder when the database is the embedded one.",
    )
    webhook_allow_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (),
        description="Private networks that may be called (alerts, pulls), separated by commas.",
    )
    igate_url: str | None = Field(
        None, description="Base address of an iGate installation that is asked for its dossiers."
    )
    igate_token_url: str | None = Field(
        None, description="Where its access tokens come from (Keycloak, client credentials)."
    )
    igate_client_id: str | None = Field(None, description="The client that asks it.")
    igate_client_secret: SecretStr | None = Field(None, description="The secret of that client.")
    igate_agency: str | None = Field(
        None, description="The agency below which it is asked; all that the client sees if unset."
    )
    igate_source: str | None = Field(
        None, description="Code of the source system under which its dossiers are kept."
    )
    igate_unit: str | None = Field(
        None, description="Root of its units; the whole installation when unset."
    )
    igate_statuses: str | None = Field(
        None, description="What its numbers of statuses mean, such as `2=processing,5=returned`."
    )
    igate_minutes: int = Field(
        0, ge=0, le=1_440, description="Ask it every so many minutes; 0 only by command."
    )
    igate_per_minute: int = Field(60, ge=1, le=6_000, description="Most requests to it a minute.")
    igate_ca_file: Path | None = Field(
        None, description="Certificates of an authority of its own, trusted besides."
    )
    public_url: str | None = Field(
        None, description="Address at which people reach this service, for links in mails."
    )
    smtp_host: str | None = Field(None, description="The mail server; unset, no mail is sent.")
    smtp_port: int = Field(587, ge=1, le=65_535, description="Its port.")
    smtp_security: SmtpSecurity = Field(
        SmtpSecurity.STARTTLS, description="How the way to it is protected."
    )
    smtp_user: str | None = Field(None, description="The account that sends, if it asks for one.")
    smtp_password: SecretStr | None = Field(None, description="The password of that account.")
    smtp_ca_file: Path | None = Field(
        None, description="Certificates of an authority of its own, trusted besides."
    )
    mail_from: str | None = Field(None, description="The address in whose name mails go out.")
    mail_domains: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Domains of addresses that may subscribe, separated by commas; "
        "those below them too. All of them if unset.",
    )
    max_body_bytes: int = Field(
        16 * 2**20, ge=1_000, description="Largest request, as sent and after unpacking."
    )
    max_batch_records: int = Field(5_000, ge=1, le=10_000, description="Most records in a batch.")
    records_together: int = Field(
        200,
        ge=1,
        le=1_000,
        description="Most calls, of a record or a batch each, that share one transaction; "
        "1: each has its own.",
    )
    requests_per_minute: int = Field(
        60_000, ge=1, description="Most requests of one key in a minute, for each process."
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="How much the log tells.")

    @field_validator("webhook_allow_networks", "mail_domains", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("database_url")
    @classmethod
    def _name_the_driver(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        scheme, separator, rest = value.get_secret_value().partition("://")
        if not separator or scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
            raise ValueError("must begin with postgresql://")
        return SecretStr(f"postgresql+psycopg://{rest}")

    @field_validator("public_url")
    @classmethod
    def _address_without_more(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise ValueError("must be an address such as https://dung-han.example.gov.vn")
        return value.rstrip("/")

    @field_validator("hash_key")
    @classmethod
    def _refuse_a_short_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have 32 characters or more")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.database_url is not None and self.hash_key is None:
            raise ValueError("DUNGHAN_DATABASE_URL needs DUNGHAN_HASH_KEY or DUNGHAN_HASH_KEY_FILE")
        if self.workers > 1 and self.database_url is None:
            raise ValueError("DUNGHAN_WORKERS above 1 needs DUNGHAN_DATABASE_URL")
        if self.workers > 1 and self.scheduler:
            raise ValueError("DUNGHAN_WORKERS above 1 needs DUNGHAN_SCHEDULER=false and a `worker`")
        return self

    @model_validator(mode="after")
    def _mail_fits(self) -> Self:
        if self.smtp_host is not None and not (self.mail_from and self.public_url):
            raise ValueError("DUNGHAN_SMTP_HOST needs DUNGHAN_MAIL_FROM and DUNGHAN_PUBLIC_URL")
        if self.smtp_user is not None and self.smtp_security is SmtpSecurity.NONE:
            raise ValueError("DUNGHAN_SMTP_USER needs DUNGHAN_SMTP_SECURITY=starttls or tls")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 -- pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment, then the files that it names."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    def applicant_key(self) -> bytes:
        """Return the key of applicants' hashes, making it on first use of an embedded database.

        A lost key cannot be made again: hashes from before and after it no longer agree.
        """
        if self.hash_key is not None:
            return self.hash_key.get_secret_value().encode()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        kept = self.data_dir / "hash.key"
        made = self.data_dir / f"hash.key.{os.getpid()}"
        if not kept.exists():
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as new:
                new.write(secrets.token_urlsafe(48))
                new.flush()
                os.fsync(new.fileno())
            try:
                os.link(made, kept)  # whole or not at all, and the first one stays
            except FileExistsError:
                pass
            finally:
                made.unlink()
        return kept.read_text().strip().encode()


class SecretFiles(PydanticBaseSettingsSource):
    """Read ``DUNGHAN_X`` from the file that ``DUNGHAN_X_FILE`` names, for secrets only."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of the file, None when none is named."""
        named = os.environ.get(file_name_of(field_name))
        if not named or not is_secret(field.annotation):
            return None, field_name, False
        return Path(named).read_text(encoding="utf-8").strip(), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return every secret that is given by file."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def load() -> Settings:
    """Read the settings from the environment.

    :raises SettingsInvalid: a name is unknown, a value cannot be used, a secret is given twice,
        or a file cannot be read. The message holds no value.
    """
    _refuse_unknown(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsInvalid("; ".join(_told(error))) from None
    except OSError as error:
        raise SettingsInvalid(f"cannot read {error.filename}: {error.strerror}") from None


def variable_of(field: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + field.upper()


def file_name_of(field: str) -> str:
    """Return the environment variable that names the file of a secret field."""
    return variable_of(field) + "_FILE"


def is_secret(annotation: object) -> bool:
    """Tell whether a field's annotation makes it a secret."""
    return annotation is SecretStr or SecretStr in getattr(annotation, "__args__", ())


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    plain = {variable_of(name) for name in Settings.model_fields}
    files = {
        file_name_of(name): variable_of(name)
        for name, field in Settings.model_fields.items()
        if is_secret(field.annotation)
    }
    given = {name for name in environ if name.startswith(PREFIX)}
    unknown = given - plain - files.keys() - FOR_THE_STARTER
    if unknown:
        raise SettingsInvalid(f"unknown: {', '.join(sorted(unknown))}")
    twice = sorted(name for name in given & files.keys() if files[name] in given)
    if twice:
        raise SettingsInvalid(f"given twice: {', '.join(f'{files[t]}, {t}' for t in twice)}")


def _told(error: ValidationError) -> list[str]:
    return [
        ": ".join([*(variable_of(str(part)) for part in problem["loc"][:1]), problem["msg"]])
        for problem in error.errors(include_input=False, include_url=False)
    ]
