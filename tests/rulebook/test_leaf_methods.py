"""Each word of the closed set of methods, as it is written."""

import pytest

from app.domain.lint import Finding
from app.domain.method import (
    Cases,
    Compare,
    Deduct,
    External,
    First,
    Fixed,
    Increments,
    Linear,
    Method,
    PeerRank,
    PerItem,
    Tiers,
    YesNo,
)
from app.rulebook.entry import Entry
from app.rulebook.leaf_methods import METHODS, read_method


def read(**leaf: object) -> tuple[Method, list[str]]:
    findings: list[Finding] = []
    entry = Entry({"id": "leaf", **leaf}, "leaf", findings)
    method = read_method(entry, [key for key in METHODS if entry.has(key)])
    return method, [f"{finding.where} {finding.code}" for finding in findings]


@pytest.mark.parametrize(
    ("key", "body", "kind"),
    [
        ("per_item", {"count": "a", "each": "0.5"}, PerItem),
        (
            "deduct",
            {"start": "1", "items": [{"count": "a", "each": "0.1", "cap": "0.5"}], "min": "0"},
            Deduct,
        ),
        ("tiers", {"of": "grade", "options": [{"is": "good", "share": "0.75"}]}, Tiers),
        (
            "peer_rank",
            {"of": "place", "groups": [{"top": "10", "score": "3"}, {"score": "1"}]},
            PeerRank,
        ),
        ("yes_no", {"of": "a"}, YesNo),
        ("external", {"source": "portal", "of": "a"}, External),
        ("first", [{"when": "a == 1", "score": "2", "note": "x"}, {"yes_no": {"of": "b"}}], First),
        ("cases", {"cases": [{"when": "a == 1", "score": "2"}], "else": "error"}, Cases),
    ],
)
def test_a_method_is_read(key: str, body: object, kind: type[Method]) -> None:
    method, faults = read(**{key: body})

    assert isinstance(method, kind)
    assert faults == []


def test_the_comparison_of_a_floor_stands_beside_the_method() -> None:
    line = {"num": "a", "den": "b", "floor": "0.95", "below": "0"}

    method, faults = read(linear=line, compare="printed")

    assert isinstance(method, Linear)
    assert method.compare is Compare.PRINTED
    assert faults == []


def test_a_score_from_outside_goes_by_the_id_of_its_leaf() -> None:
    method, _ = read(external={"source": "portal"})

    assert method == External("portal", "leaf")


def test_else_may_carry_a_note() -> None:
    method, _ = read(cases={"cases": [{"when": "a == 1", "score": "2"}],
                            "else": {"score": "1", "note": "bỏ ngỏ"}})  # fmt: skip

    assert isinstance(method, Cases)
    assert isinstance(method.otherwise, Fixed)
    assert method.otherwise.note == "bỏ ngỏ"


def test_increments_may_go_down() -> None:
    body = {"of": "a", "from": "4.5", "base": "3", "step": "1", "points": "1", "partial": "true"}

    method, faults = read(increments={**body, "direction": "down"})

    assert isinstance(method, Increments)
    assert method.down
    assert faults == []


@pytest.mark.parametrize(
    ("leaf", "fault"),
    [
        ({"linear": {"num": "a", "den": "b", "target": "0"}}, "leaf/linear/target"),
        ({"per_item": {"count": "a", "each": "0"}}, "leaf/per_item/each"),
        ({"deduct": {"start": "1", "items": [], "min": "0"}}, "leaf/deduct/items"),
        ({"tiers": {"of": "a", "options": []}}, "leaf/tiers/options"),
        ({"peer_rank": {"of": "a", "groups": []}}, "leaf/peer_rank/groups"),
        ({"bands": {"of": "a", "table": []}}, "leaf/bands/table"),
        ({"cases": {"cases": []}}, "leaf/cases/cases"),
        ({"first": []}, "leaf/first"),
        ({"first": [{"when": "a == 1"}]}, "leaf/first/0"),
        (
            {"increments": {"of": "a", "from": "1", "base": "1", "step": "0", "points": "1",
                            "partial": "true"}},
            "leaf/increments/step",
        ),
        (
            {"increments": {"of": "a", "from": "1", "base": "1", "step": "1", "points": "1",
                            "partial": "true", "direction": "sideways"}},
            "leaf/increments/direction",
        ),
    ],
)  # fmt: skip
def test_a_malformed_method_names_its_place(leaf: dict[str, object], fault: str) -> None:
    _, faults = read(**leaf)

    assert [found.split()[0] for found in faults] == [fault]
