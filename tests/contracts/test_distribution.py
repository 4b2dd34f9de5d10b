"""The schema keeps what a distributed PostgreSQL asks for, so that it can be spread one day.

Tables of dossiers are spread by unit: every key contains ``unit_id``. Small tables are copied to
every node. Nothing needs an extension.
"""

import re

import pytest
import sqlalchemy as sa

from app.store.tables import metadata
from tests.contracts.repository import ROOT

COPIED = {
    *("unit", "unit_revision", "procedure", "procedure_revision", "calendar", "calendar_version"),
    *("source", "api_key", "idempotency", "webhook", "job_slot", "audit", "install"),
    "catalogue_stamp",
    *("import_job", "import_lane", "import_refusal", "pull_state"),
    *("rule_set_version", "rule_set_confirmation"),
    *("succession", "subscription", "retirement", "mute", "silence", "fact_state"),
    "fact_lineage",
}
"""Small tables, the same on every node, and the bookkeeping of single runs."""

BY_CODE = {"locator", "number"}
"""Spread by the number of the dossier, to find its unit, or what else is told under it."""

BY_UNIT = sorted(set(metadata.tables) - COPIED - BY_CODE)


@pytest.mark.parametrize("name", BY_UNIT)
def test_every_key_of_a_table_spread_by_unit_contains_the_unit(name: str) -> None:
    table = metadata.tables[name]
    keys = [list(table.primary_key.columns)]
    keys += [list(one.columns) for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
    keys += [[*index.columns] for index in table.indexes if index.unique]

    assert "unit_id" in table.columns
    assert all("unit_id" in {column.name for column in key} for key in keys if key)


@pytest.mark.parametrize("name", BY_UNIT)
def test_a_table_spread_by_unit_points_only_to_its_own_unit_or_to_copied_tables(name: str) -> None:
    for constraint in metadata.tables[name].foreign_key_constraints:
        target = constraint.referred_table.name

        assert target in COPIED or "unit_id" in constraint.column_keys


def test_no_migration_needs_an_extension() -> None:
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        assert not re.search(r"create\s+extension", path.read_text(), re.IGNORECASE), path.name


def test_no_statement_locks_rows_of_dossiers_across_units() -> None:
    for name in ("dossiers", "tallies"):
        assert "FOR UPDATE" not in (ROOT / "app" / "store" / f"{name}.py").read_text()
