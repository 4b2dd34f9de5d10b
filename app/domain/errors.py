"""What a caller can act on: four kinds of refusal, each with a permanent code and typed fields.

An error is a code with fields; its sentence lives in the catalogues of ``app.i18n`` under that
code. Anything that is not an ``AppError`` is a bug and is left to rise.
"""

from dataclasses import dataclass, fields
from typing import ClassVar


@dataclass(eq=False, kw_only=True)
class AppError(Exception):
    """A refusal that names what was wrong, without naming a person."""

    code: ClassVar[str]

    @property
    def params(self) -> dict[str, str]:
        """Return the fields by name, as the placeholders of the sentence."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}

    def __str__(self) -> str:
        """Show the code and its fields, in English, for logs and test failures."""
        return f"{self.code} {self.params}" if self.params else self.code


@dataclass(eq=False, kw_only=True)
class NotFound(AppError):
    """The thing named does not exist, or not within the caller's units."""


@dataclass(eq=False, kw_only=True)
class Conflict(AppError):
    """The thing is not in the state that the request supposes."""


@dataclass(eq=False, kw_only=True)
class Invalid(AppError):
    """The request cannot be true, or cannot be computed as it stands."""


@dataclass(eq=False, kw_only=True)
class Forbidden(AppError):
    """The caller may not do this."""
