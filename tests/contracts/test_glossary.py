"""Every value that the domain exchanges stands in the glossary, once for both languages."""

import enum
import importlib
import pkgutil

import pytest

import app.domain
from tests.contracts.repository import ROOT

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


def _enums() -> list[type[enum.Enum]]:
    found = []
    for module in pkgutil.iter_modules(app.domain.__path__):
        loaded = importlib.import_module(f"app.domain.{module.name}")
        found += [
            value
            for value in vars(loaded).values()
            if isinstance(value, type)
            and issubclass(value, enum.Enum)
            and value.__module__ == loaded.__name__
        ]
    return found


def _word(member: enum.Enum) -> str:
    return member.value if isinstance(member.value, str) else member.name.lower()


@pytest.mark.parametrize("kind", _enums(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_value_of_the_domain_is_in_the_glossary(kind: type[enum.Enum]) -> None:
    missing = [_word(member) for member in kind if f"`{_word(member)}`" not in GLOSSARY]

    assert missing == []
