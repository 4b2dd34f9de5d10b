"""Strict reading: what is there is of its kind, what is missing or too much is told."""

from decimal import Decimal
from fractions import Fraction

import pytest

from app.domain.lint import Finding, Severity
from app.rulebook.entry import Entry, RulebookRefused, exact, refuse, toml


def read(raw: object) -> tuple[Entry, list[Finding]]:
    findings: list[Finding] = []
    return Entry(raw, "here", findings), findings


@pytest.mark.parametrize(
    ("raw", "number"),
    [("0.95", Fraction(19, 20)), (3, Fraction(3)), (Decimal("0.1"), Fraction(1, 10))],
)
def test_numbers_are_read_exactly(raw: object, number: Fraction) -> None:
    assert exact(raw) == number


@pytest.mark.parametrize("raw", [0.1, True, None, [], Decimal("NaN"), Decimal("1E+3"), "1e3"])
def test_a_binary_float_is_no_number_of_a_rule(raw: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        exact(raw)


def test_what_nobody_asked_for_is_a_fault() -> None:
    entry, findings = read({"known": "x", "other": "y"})

    entry.text("known")
    entry.done()

    assert findings == [Finding("here", "rulebook.unknown_key", {"key": "other"})]


def test_all_faults_are_told_at_once() -> None:
    entry, findings = read({"list": "x", "flag": "perhaps", "text": " "})

    entry.items("list")
    entry.flag("flag", default=True)
    entry.text("text")
    entry.number("absent")

    assert [finding.code for finding in findings] == [
        "rulebook.not_a_list",
        "rulebook.not_a_flag",
        "rulebook.not_a_text",
        "rulebook.missing_key",
    ]


def test_what_may_be_absent_reads_as_none() -> None:
    entry, findings = read({})

    assert entry.text_or_none("a") is None
    assert entry.number_or_none("b") is None
    assert entry.day_or_none("c") is None
    assert entry.flag("d", default=True) is True
    assert entry.texts("e") == ()
    assert findings == []


def test_a_flag_is_a_truth_or_its_word() -> None:
    entry, findings = read({"a": True, "b": "false"})

    assert (entry.flag("a", default=False), entry.flag("b", default=True)) == (True, False)
    assert findings == []


def test_a_text_that_is_no_toml_reads_as_empty_with_that_as_its_first_fault() -> None:
    entry = toml("limits = [")
    entry.need("limits")

    assert entry.names() == ()
    assert [finding.code for finding in entry.findings] == [
        "rulebook.unreadable",
        "rulebook.missing_key",
    ]


def test_a_number_with_a_point_is_taken_only_where_it_is_read_exactly() -> None:
    loose, exactly = toml("share = 0.1"), toml("share = 0.1", parse_float=Decimal)

    loose.number("share")

    assert [finding.code for finding in loose.findings] == ["rulebook.not_a_number"]
    assert exactly.number("share") == Fraction(1, 10)
    assert exactly.findings == []


def test_something_else_than_a_mapping_reads_as_empty_with_one_fault() -> None:
    entry, findings = read([1, 2])

    assert entry.names() == ()
    assert [finding.code for finding in findings] == ["rulebook.not_a_mapping"]


def test_an_absent_mapping_is_one_fault_and_not_one_for_each_key() -> None:
    entry, findings = read({})

    entry.entry("numbers").number("dp")

    assert [finding.params for finding in findings] == [{"key": "numbers"}]


def test_warnings_do_not_stop_a_file() -> None:
    refuse("file", [Finding("x", "lint.missing_else", {}, Severity.WARNING)])


def test_errors_stop_it_and_come_before_warnings() -> None:
    warning = Finding("x", "lint.missing_else", {}, Severity.WARNING)
    error = Finding("y", "lint.max_sum", {})

    with pytest.raises(RulebookRefused) as refused:
        refuse("file", [warning, error])

    assert refused.value.findings == (error, warning)
    assert refused.value.params == {
        "file": "file",
        "node": "y",
        "fault": "lint.max_sum",
        "count": "1",
    }
