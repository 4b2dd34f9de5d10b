"""A province's annex typed into a template: every number asked for, the text around it kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

import yaml

from app.domain.rounding import from_decimal, plain
from app.rulebook.rule_numbers import numbers_of

ROOT_MAX: Final = "root/max"
"""The maximum of the whole, which follows from those of its lines."""


@dataclass(frozen=True, slots=True)
class AnnexQuestion:
    """One number to be typed in: where it stands, and what the template says there."""

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The document that an annex belongs to, and the set that is made of it."""

    identifier: str
    title_vi: str
    title_en: str
    document: str
    valid_from: date


def questions(template: str) -> tuple[AnnexQuestion, ...]:
    """Return the numbers that a person has to type in, in the order of the template."""
    return tuple(
        AnnexQuestion(one.path, one.value) for one in numbers_of(template) if one.path != ROOT_MAX
    )


def filled(template: str, decision: Decision, answers: Mapping[str, str]) -> str:
    """Return the text of a set with the numbers that were typed in; comments and order stay.

    It keeps the provenance of a template: its sheets say "chưa xác nhận" until its numbers are
    confirmed by name. The maximum of the whole becomes the sum of its lines.

    :raises ValueError: the template is no rule set.
    """
    places = dict(_scalars(yaml.compose(template, Loader=yaml.BaseLoader), ""))
    wanted = {
        **answers,
        "id": decision.identifier,
        "title/vi": _quoted(decision.title_vi),
        "title/en": _quoted(decision.title_en),
        "basis/0/doc": _quoted(decision.document),
        ROOT_MAX: plain(_sum_of_maxima(places, answers)),
    }
    text = template
    in_order = sorted(wanted, key=lambda path: -_begin(places, path))
    for path in in_order:
        node = places[path]
        text = text[: node.start_mark.index] + wanted[path] + text[node.end_mark.index :]
    first, _, rest = text.partition("\nprovenance:")
    if not rest:
        raise ValueError("a template names its provenance")
    return f"{first}\nvalid: {{from: {decision.valid_from.isoformat()}}}\nprovenance:{rest}"


def _begin(places: Mapping[str, yaml.ScalarNode], path: str) -> int:
    if path not in places:
        raise ValueError(f"the template has nothing at {path}")
    return int(places[path].start_mark.index)


def _sum_of_maxima(places: Mapping[str, yaml.ScalarNode], answers: Mapping[str, str]) -> Fraction:
    maxima = [
        path
        for path in places
        if path.count("/") == 2 and path.startswith("root/") and path.endswith("/max")
    ]
    told = [answers.get(path, str(places[path].value)) for path in maxima]
    return sum((from_decimal(one) for one in told), Fraction(0))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _scalars(node: yaml.Node | None, path: str) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """Yield every scalar under the path by which the numbers of a set are named."""
    match node:
        case yaml.ScalarNode():
            yield path, node
        case yaml.SequenceNode():
            for place, item in enumerate(node.value):
                yield from _scalars(item, f"{path}/{_name(item, place)}")
        case yaml.MappingNode():
            for key, value in node.value:
                name = str(key.value)
                below = path if name == "children" else f"{path}/{name}".lstrip("/")
                yield from _scalars(value, below)
        case _:
            pass


def _name(item: yaml.Node, place: int) -> str:
    if isinstance(item, yaml.MappingNode):
        for key, value in item.value:
            if key.value == "id" and isinstance(value, yaml.ScalarNode):
                return str(value.value)
    return str(place)


def typed(answer: str) -> str:
    """Return a number as a rule set writes it, from the way that people type it: 0,95 is 0.95."""
    text = answer.strip()
    bare = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    try:
        from_decimal(bare)
    except ValueError:
        return text
    return bare
