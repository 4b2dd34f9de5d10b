"""The operator's command line. Each module here holds ``commands``, whose commands join it.

A command reads the settings, opens the database, makes one call and prints. Refusals leave as
sentences on standard error and as an exit code by kind.
"""

import contextlib
import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, ClassVar, Final

import typer

from app import __version__
from app.domain.errors import AppError, Conflict, Forbidden, Invalid, NotFound
from app.garbage import collect_rarely
from app.i18n import Language, has_phrase, phrase
from app.settings import Settings, SettingsInvalid
from app.store import schema
from app.store.opening import opened
from app.store.session import Database

EXIT_CODES: Final[dict[type[AppError], int]] = {NotFound: 3, Conflict: 4, Invalid: 5, Forbidden: 6}
UNAVAILABLE: Final = 75  # what mail and cron call a temporary failure
MISCONFIGURED: Final = 78

AsJson = Annotated[bool, typer.Option("--json", help="In ra JSON. / Print JSON.")]
"""Whether a command prints for machines."""


def nouns() -> list[ModuleType]:
    """Return the modules of this folder, in the order of their names."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}") for name in found]


def build() -> typer.Typer:
    """Put the command line together from the modules of this folder."""
    whole = typer.Typer(
        name="run.py",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # its frames would show values of variables
        help=f"Đúng Hạn {__version__}",
    )
    for noun in nouns():
        whole.add_typer(noun.commands)
    return whole


def run() -> int:
    """Run the command line and return the exit code; a mistake in its use exits by itself."""
    try:
        whole = build()
        collect_rarely()
        whole()
    except SettingsInvalid as error:
        tell("settings.invalid", faults=str(error))
        return MISCONFIGURED
    except AppError as error:
        tell(error.code, **error.params)
        return exit_code(error)
    return 0


def exit_code(error: AppError) -> int:
    """Return the exit code of a refusal, by its kind."""
    kinds = (code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
    return next(kinds, UNAVAILABLE)


def tell(code: str, **params: str) -> None:
    """Write a sentence on standard error, in the operator's language."""
    first = language()
    sentence = phrase(first, code, params) if has_phrase(first, code) else f"{code} {params}"
    print(sentence, file=sys.stderr)


def language() -> Language:
    """Return the operator's language: English when LC_ALL or LANG says so, else Vietnamese."""
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return Language.EN if locale.startswith("en") else Language.VI


@dataclass(eq=False, kw_only=True)
class SchemaMissing(Conflict):
    """The database has no tables yet, or those of an older version."""

    code: ClassVar[str] = "schema.missing"
    at: str
    needed: str


@contextlib.contextmanager
def database_of(
    settings: Settings, *, is_empty_allowed: bool = False, supervised: bool = False
) -> Iterator[Database]:
    """Open the database that the settings name, for the time of a command.

    The embedded database is ours, so its tables are brought up to date; a database that somebody
    named is left as it is.

    :param supervised: start the embedded one again whenever it dies meanwhile.
    :raises SchemaMissing: the named database was not migrated, and may not be empty.
    """
    url = settings.database_url
    with opened(
        url=url.get_secret_value() if url else None,
        data_dir=settings.data_dir,
        pool_size=settings.database_pool_size,
        statement_timeout_ms=settings.statement_timeout_ms,
        behind_pooler=settings.database_behind_pooler,
        supervised=supervised,
    ) as database:
        if not is_empty_allowed and url is None:
            schema.migrate(database)
        elif not is_empty_allowed:
            _require_schema(database)
        yield database


def _require_schema(database: Database) -> None:
    at = schema.current(database)
    known = schema.revisions()
    if at is None or (at in known and at != known[-1]):
        raise SchemaMissing(at=at or "-", needed=known[-1])
