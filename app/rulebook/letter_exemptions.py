"""The reasons for which a late dossier needs no letter of apology."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_KEYS = {"code", "vi", "en"}


class ExemptionsBroken(ValueError):
    """The file of reasons does not hold what it must; the message names the place."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """A reason in both languages."""

    code: str
    vi: str
    en: str


@cache
def load_exemptions() -> Mapping[str, Exemption]:
    """Read the shipped reasons, by code, in the order of the file.

    :raises ExemptionsBroken: a key is unknown or missing, or a code is used twice.
    """
    text = files("app.rulebook").joinpath("letter_exemptions.toml").read_text("utf-8")
    return read_exemptions(text)


def read_exemptions(text: str) -> Mapping[str, Exemption]:
    """Read reasons from TOML text.

    :raises ExemptionsBroken: as for ``load_exemptions``.
    """
    found: dict[str, Exemption] = {}
    for number, entry in enumerate(tomllib.loads(text).get("exemption", []), start=1):
        if wrong := entry.keys() ^ _KEYS:
            raise ExemptionsBroken(f"letter_exemptions.toml, {number}: {sorted(wrong)}")
        if entry["code"] in found:
            raise ExemptionsBroken(f"letter_exemptions.toml, {number}: {entry['code']} again")
        found[entry["code"]] = Exemption(**entry)
    if not found:
        raise ExemptionsBroken("letter_exemptions.toml: no reason")
    return found
