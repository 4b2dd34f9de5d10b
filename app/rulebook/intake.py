"""The limit within which a dossier handed in online must be taken in or refused."""

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from importlib.resources import files

from app.domain.limits import TimeLimit


class IntakeRuleBroken(ValueError):
    """The file of intake rules does not hold what it must; the message names the place."""


@dataclass(frozen=True, slots=True)
class IntakeRule:
    """One version of the limit of intake; ``verified`` is false until its text was read."""

    valid_from: date
    limit: TimeLimit
    legal_basis: str
    verified: bool


_KEYS = {"valid_from", "working_hours", "legal_basis", "source", "note"}


@cache
def load_intake_rules() -> tuple[IntakeRule, ...]:
    """Read the shipped rules, oldest first.

    :raises IntakeRuleBroken: a key is unknown or missing, or two versions begin on one day.
    """
    return read_rules(files("app.rulebook").joinpath("intake.toml").read_text(encoding="utf-8"))


def read_rules(text: str) -> tuple[IntakeRule, ...]:
    """Read rules from TOML text.

    :raises IntakeRuleBroken: a key is unknown or missing, or two versions begin on one day.
    """
    entries = tomllib.loads(text).get("version", [])
    rules = []
    for number, entry in enumerate(entries, start=1):
        unknown = entry.keys() - _KEYS
        missing = _KEYS - {"note"} - entry.keys()
        if unknown or missing:
            raise IntakeRuleBroken(f"intake.toml, version {number}: {sorted(unknown | missing)}")
        rules.append(
            IntakeRule(
                valid_from=entry["valid_from"],
                limit=TimeLimit.working_hours(timedelta(hours=entry["working_hours"])),
                legal_basis=entry["legal_basis"],
                verified=entry["source"] != "unverified",
            )
        )
    rules.sort(key=lambda rule: rule.valid_from)
    days = [rule.valid_from for rule in rules]
    if not rules or len(set(days)) != len(days):
        raise IntakeRuleBroken("intake.toml: no version, or two of one day")
    return tuple(rules)


@lru_cache(maxsize=4_096)
def intake_rule_at(day: date) -> IntakeRule:
    """Return the rule in force on the day a dossier was handed in.

    Before the first version the first one is used, so that an old dossier is still shown.
    """
    rules = load_intake_rules()
    in_force = [rule for rule in rules if rule.valid_from <= day]
    return in_force[-1] if in_force else rules[0]


@lru_cache(maxsize=4_096)
def intake_limit_at(day: date) -> TimeLimit:
    """Return the limit of the rule in force on the day a dossier was handed in."""
    return intake_rule_at(day).limit
