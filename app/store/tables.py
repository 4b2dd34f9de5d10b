"""All tables: columns, constraints and comments, no behaviour.

The schema keeps what a distributed PostgreSQL asks for: every key of a dossier's tables contains
``unit_id``, ``unit_id`` never changes in a row (a transfer closes one row and opens another),
units, procedures, sources, keys and calendars are small reference tables, and nothing needs an
extension. ``recorded_at`` is when we learned a thing; what senders told us is only ever appended.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from app.store.base import Instant, metadata

__all__ = ["metadata"]

NOW = sa.text("now()")
_FINISHED_LATE = 42  # domain.timeliness.State; a test of the store holds the two equal


def _now(name: str = "recorded_at") -> sa.Column[object]:
    return sa.Column(name, Instant, nullable=False, server_default=NOW)


# ---------------------------------------------------------------- units, procedures, calendars

unit = sa.Table(
    "unit",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("unit.id")),
    sa.Column("lft", sa.BigInteger, nullable=False, unique=True),
    sa.Column("rgt", sa.BigInteger, nullable=False),
    sa.Column("depth", sa.SmallInteger, nullable=False),
    sa.Column("valid_from", sa.Date),
    sa.Column("valid_to", sa.Date),
    sa.Column("legacy_codes", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("is_bucket", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("parent_since", sa.Date, comment="stands below its parent since then; NULL always"),
    sa.Column(
        "heir_id",
        sa.Integer,
        sa.ForeignKey("unit.id"),
        comment="who goes on for it in the end, by the successions in force",
    ),
    _now(),
    sa.Index("ix_unit_heir_id", "heir_id", postgresql_where=sa.text("heir_id IS NOT NULL")),
    sa.Index(
        "ix_unit_parent_since",
        "parent_since",
        postgresql_where=sa.text("parent_since IS NOT NULL"),
    ),
    sa.CheckConstraint("heir_id <> id", name="heir"),
    sa.CheckConstraint("lft <= rgt", name="interval"),
    sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="validity"),
    sa.CheckConstraint("code <> '' AND name <> ''", name="named"),
    comment="Units (đơn vị) as a tree; lft..rgt holds the whole subtree. Reference table.",
)

unit_revision = sa.Table(
    "unit_revision",
    metadata,
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    _now(),
    sa.Column("spec", JSONB, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    comment="Every state of a unit that was ever told. Append-only.",
)

succession = sa.Table(
    "succession",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("effective_on", sa.Date, nullable=False),
    sa.Column("successor_ids", ARRAY(sa.Integer), nullable=False),
    sa.Column("heir_id", sa.Integer, sa.ForeignKey("unit.id"), comment="takes over what is open"),
    sa.Column("children_to_id", sa.Integer, sa.ForeignKey("unit.id")),
    sa.Column("former_valid_to", sa.Date, comment="of the unit, for a reversal"),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("reverses", sa.Integer, sa.ForeignKey("succession.id"), unique=True),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    sa.CheckConstraint(
        "kind IN ('merger', 'split', 'rename', 'abolition', 'reversal')", name="kind"
    ),
    sa.CheckConstraint("(kind = 'reversal') = (reverses IS NOT NULL)", name="reversal"),
    sa.CheckConstraint("heir_id IS NULL OR heir_id = ANY(successor_ids)", name="heir"),
    sa.CheckConstraint("document <> ''", name="document"),
    sa.Index("ix_succession_unit_id", "unit_id"),
    comment="Units that ceased or were divided, and who goes on for them. Append-only.",
)

procedure = sa.Table(
    "procedure",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("field", sa.Text),
    sa.Column("field_name", sa.Text),
    sa.Column("level", sa.Text),
    sa.Column("online_level", sa.Text),
    sa.Column("spec", JSONB, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    _now(),
    comment="Procedures (thủ tục hành chính) with their dated limits. Reference table.",
)

procedure_revision = sa.Table(
    "procedure_revision",
    metadata,
    sa.Column("procedure_id", sa.Integer, sa.ForeignKey("procedure.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    _now(),
    sa.Column("spec", JSONB, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    comment="Every state of a procedure that was ever told. Append-only.",
)

calendar = sa.Table(
    "calendar",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), unique=True),
    sa.Column("version", sa.Integer, nullable=False),
    _now(),
    comment="Working calendars: the state's (vn) and those of units. Reference table.",
)

calendar_version = sa.Table(
    "calendar_version",
    metadata,
    sa.Column("calendar_id", sa.Text, sa.ForeignKey("calendar.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("spec", JSONB, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("document", sa.Text),
    _now(),
    comment="Every version of a calendar with author and document. Append-only.",
)

catalogue_stamp = sa.Table(
    "catalogue_stamp",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="of the table"),
    sa.Column("stamp", UUID(as_uuid=True), nullable=False),
    comment="A new random stamp whenever a table of words changes (by trigger), for memories.",
)

# ---------------------------------------------------------------- who sends, who may ask

source = sa.Table(
    "source",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    _now(),
    comment="Source systems: the one-door software that sends dossiers. Reference table.",
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
    sa.Column("prefix", sa.Text, nullable=False, unique=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), nullable=False),
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id")),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    _now("created_at"),
    sa.Column("expires_at", Instant),
    sa.Column("last_used_at", Instant),
    sa.Column("revoked_at", Instant),
    sa.CheckConstraint("cardinality(scopes) > 0", name="scoped"),
    comment="Keys, hashed; unit_id NULL is the whole installation. Reference table.",
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("key_id", sa.Integer, sa.ForeignKey("api_key.id"), primary_key=True),
    sa.Column("route", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    _now("created_at"),
    comment="Answers of creating requests, replayed for 14 days to the same key and body.",
)

# ---------------------------------------------------------------- dossiers

locator = sa.Table(
    "locator",
    metadata,
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("home_unit_id", sa.Integer, nullable=False),
    sa.Column("unit_id", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.CheckConstraint("version > 0", name="version"),
    comment="Where a dossier lives: home_unit_id keeps its record, unit_id holds it now.",
)

number = sa.Table(
    "number",
    metadata,
    sa.Column("sign", sa.Text, primary_key=True, comment="a number, or source/number"),
    sa.Column(
        "holders",
        ARRAY(sa.Text),
        nullable=False,
        comment="source:code of dossiers, none while a parent is awaited",
    ),
    comment="Under which numbers dossiers were ever told, to find those that are the same.",
)

precedence = sa.Table(
    "precedence",
    metadata,
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), comment="NULL: first seen"),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    sa.CheckConstraint("seq > 0", name="seq"),
    comment="Whose dossier counts at a unit and below when two systems send it. Append-only.",
)

retirement = sa.Table(
    "retirement",
    metadata,
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), primary_key=True),
    sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("from_on", sa.Date, comment="first day without it; NULL: taken back"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    sa.CheckConstraint("seq > 0", name="seq"),
    comment="Sources that no longer send for a unit and all below it. Append-only.",
)

dossier_record = sa.Table(
    "dossier_record",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True, comment="the home unit, never changed"),
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("source_updated_at", Instant, nullable=False),
    sa.Column("stamped", sa.Boolean, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("stale", sa.Boolean, nullable=False),
    sa.Column("told", JSONB, nullable=False),
    sa.Column("key_id", sa.Integer),
    sa.Column("root_unit_id", sa.Integer, nullable=False, comment="of the key; 0 is everything"),
    _now(),
    comment="What senders told us, stripped of persons. Append-only: everything rebuilds from it.",
)


def _clock_columns() -> list[sa.Column[object]]:
    """Return the due value and the edges of one reading of a dossier."""
    return [
        sa.Column("due_on", sa.Date),
        sa.Column("due_at", Instant),
        sa.Column("early_before", Instant),
        sa.Column("on_time_until", Instant),
        sa.Column("edge_at", ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.Column("edge_state", ARRAY(sa.SmallInteger), nullable=False),
        sa.Column("edge_flow", ARRAY(sa.SmallInteger), nullable=False),
        sa.Column("edge_due", ARRAY(sa.Date), nullable=False),
        sa.Column(
            "edge_days",
            ARRAY(sa.SmallInteger),
            nullable=False,
            server_default="{}",
            comment="working days that each finish took; empty without one",
        ),
    ]


_EDGES_AGREE = (
    "cardinality(edge_at) = cardinality(edge_state) AND "
    "cardinality(edge_at) = cardinality(edge_flow) AND "
    "cardinality(edge_at) = cardinality(edge_due)"
)

dossier = sa.Table(
    "dossier",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("unit_lft", sa.BigInteger, nullable=False),
    sa.Column("home_unit_id", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    _now(),
    sa.Column("first_recorded_at", Instant, nullable=False),
    sa.Column("source_updated_at", Instant, nullable=False),
    sa.Column("is_current", sa.Boolean, nullable=False),
    sa.Column("is_open", sa.Boolean, nullable=False),
    sa.Column("is_leg", sa.Boolean, nullable=False),
    sa.Column("is_counted", sa.Boolean, nullable=False, comment="false: listed, in no figure"),
    sa.Column("same_as", JSONB, nullable=False, server_default="[]"),
    # what it is about
    sa.Column("procedure_id", sa.Integer),
    sa.Column("procedure_told", sa.Text),
    sa.Column("unit_told", sa.Text),
    sa.Column("case", sa.Text),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("applicant_type", sa.Text, nullable=False),
    sa.Column("applicant_hash", sa.Text),
    sa.Column("parent", sa.Text),
    sa.Column("leg", sa.Text),
    sa.Column("other_codes", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("official", sa.Text),
    # as the source sees it now
    sa.Column("status", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Column("submitted_at", Instant),
    sa.Column("received_at", Instant),
    sa.Column("clock_start_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("returned_at", Instant),
    sa.Column("return_method", sa.Text),
    sa.Column("place_independent", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("paid_online", sa.Boolean),
    sa.Column("digitised", sa.Boolean),
    sa.Column("contacts", sa.Integer),
    sa.Column("bodies_contacted", sa.Integer),
    sa.Column("founded_complaints", sa.Integer),
    # as we judge it
    sa.Column("limit_kind", sa.Text),
    sa.Column("online_level", sa.Text, comment="of the procedure, as the catalogue told it last"),
    sa.Column("due_origin", sa.Text, nullable=False),
    sa.Column("is_provisional", sa.Boolean, nullable=False),
    sa.Column("apology_at", Instant),
    sa.Column("apology_exempt", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("issues", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("overlong_at", Instant, comment="the open pause then outlasts the whole limit"),
    sa.Column(
        "supplement_at", ARRAY(sa.DateTime(timezone=True)), nullable=False, server_default="{}"
    ),
    *_clock_columns(),
    sa.CheckConstraint(_EDGES_AGREE, name="edges_agree"),
    sa.CheckConstraint("due_origin IN ('told', 'computed', 'none')", name="due_origin"),
    sa.CheckConstraint("channel IN ('online', 'in_person', 'post', 'unknown')", name="channel"),
    sa.Index("ix_dossier_unit_lft_received_at", "unit_lft", "received_at"),
    sa.Index(
        "ix_dossier_open_on_time_until",
        "on_time_until",
        "unit_id",
        "source_id",
        "code",
        postgresql_where=sa.text("is_open"),
    ),
    sa.Index("ix_dossier_code", "code"),
    sa.Index(
        "ix_dossier_letter_owed",
        "unit_lft",
        "due_on",
        postgresql_where=sa.text(
            f"edge_state[cardinality(edge_state)] = {_FINISHED_LATE}"
            " AND apology_at IS NULL AND NOT apology_exempt"
        ),
    ),
    sa.Index(
        "ix_dossier_apology_at",
        "unit_lft",
        "apology_at",
        postgresql_where=sa.text("apology_at IS NOT NULL"),
    ),
    sa.Index(
        "ix_dossier_apology_exempt",
        "unit_lft",
        "due_on",
        postgresql_where=sa.text("apology_exempt"),
    ),
    sa.Index(
        "ix_dossier_other_codes",
        "other_codes",
        postgresql_using="gin",
        postgresql_where=sa.text("other_codes <> '{}'"),
    ),
    sa.Index(
        "ix_dossier_same_as",
        "unit_lft",
        postgresql_where=sa.text("same_as <> '[]'"),
    ),
    sa.Index(
        "ix_dossier_parent",
        "source_id",
        "parent",
        postgresql_where=sa.text("parent IS NOT NULL"),
    ),
    sa.Index(
        "ix_dossier_open_leg_parent",
        "source_id",
        "parent",
        postgresql_where=sa.text("is_leg AND is_open"),
    ),
    comment="One stay of a dossier (hồ sơ) at a unit, as folded from the record; promised reading.",
)

dossier_reading = sa.Table(
    "dossier_reading",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("reading", sa.Text, primary_key=True),
    *_clock_columns(),
    sa.CheckConstraint(_EDGES_AGREE, name="edges_agree"),
    sa.CheckConstraint("reading IN ('extended', 'as_sent', 'statutory')", name="reading"),
    comment="The other readings of the due date, kept only where they differ from promised.",
)

dossier_past = sa.Table(
    "dossier_past",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    _now(),
    _now("superseded_at"),
    sa.Column("unit_lft", sa.BigInteger, nullable=False),
    sa.Column("procedure_id", sa.Integer),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("applicant_type", sa.Text, nullable=False),
    sa.Column("limit_kind", sa.Text),
    sa.Column("online_level", sa.Text),
    sa.Column("return_method", sa.Text),
    sa.Column("returned_at", Instant),
    sa.Column("is_leg", sa.Boolean, nullable=False),
    sa.Column("is_counted", sa.Boolean, nullable=False),
    sa.Column("apology_at", Instant),
    sa.Column("apology_exempt", sa.Boolean, nullable=False),
    sa.Column("supplement_at", ARRAY(sa.DateTime(timezone=True)), nullable=False),
    sa.Column("edge_at", ARRAY(sa.DateTime(timezone=True)), nullable=False),
    sa.Column("edge_state", ARRAY(sa.SmallInteger), nullable=False),
    sa.Column("edge_flow", ARRAY(sa.SmallInteger), nullable=False),
    sa.Column("edge_due", ARRAY(sa.Date), nullable=False),
    sa.Column("edge_days", ARRAY(sa.SmallInteger), nullable=False, server_default="{}"),
    sa.Column("clock_start_at", Instant),
    sa.Column("readings", JSONB, nullable=False),
    sa.Column("issues", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("overlong_at", Instant),
    comment="What we believed of a dossier from recorded_at until superseded_at. Append-only.",
)

# ---------------------------------------------------------------- facts, as counted

dossier_change = sa.Table(
    "dossier_change",
    metadata,
    sa.Column("unit_id", sa.Integer, nullable=False),
    sa.Column("source_id", sa.Integer, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("sign", sa.SmallInteger, nullable=False, comment="1 written, -1 superseded"),
    _now(),
    sa.CheckConstraint("sign IN (1, -1)", name="sign"),
    comment="Versions of dossiers that the facts do not hold yet; written with them, then folded.",
    postgresql_with={
        "autovacuum_vacuum_scale_factor": "0",
        "autovacuum_vacuum_threshold": "20000",
        "autovacuum_vacuum_insert_threshold": "-1",
        "autovacuum_analyze_scale_factor": "0",
        "autovacuum_analyze_threshold": "1000000000",
    },
)

COUNTERS = (
    # what passes on a day
    *("received_online", "received_in_person", "received_by_post", "received_unknown_channel"),
    *("reopened", "transferred_in", "succeeded_in"),
    *("finished_early", "finished_on_time", "finished_late", "finished_no_due"),
    *("withdrawn", "withdrawn_late", "stopped", "voided", "transferred_out", "succeeded_out"),
    *("refused_at_intake", "intake_late"),
    *("submitted_online_full", "submitted_online_partial"),
    *("submitted_online_information", "submitted_online_unknown"),
    # what passes on a day and is judged as it stands at the end of the period
    *("finished_late_with_apology", "finished_late_apology_exempt"),
    *("due", "due_met", "returned_by_post", "returned_at_counter", "returned_online"),
    *("left_766", "left_766_on_time"),
    # by how much the number of those that stand so changes on a day
    *("open_in_time", "open_overdue", "open_no_due", "paused"),
    *("awaiting_intake_in_time", "awaiting_intake_overdue", "receipt_unknown"),
    *("open_overdue_with_apology", "open_overdue_apology_exempt", "held_766_on_time"),
)
"""The counters of the facts; their places are the numbers in ``fact_corner`` and ``fact_ahead``,
so new ones go to the end."""


def _fact_table(name: str, comment: str, *items: sa.schema.SchemaItem) -> sa.Table:
    """Return a table of counters; NULL is 0, so that a row holds only what it counts."""
    return sa.Table(
        name,
        metadata,
        *(item for item in items if isinstance(item, sa.Column)),
        *(sa.Column(counter, sa.Integer) for counter in COUNTERS),
        *(item for item in items if not isinstance(item, sa.Column)),
        comment=comment,
    )


def _fact_keys(*names: str) -> list[sa.Column[Any]]:
    """Return the columns of a key of facts in this order, which is the order of reading."""
    kinds: dict[str, sa.types.TypeEngine[Any]] = {
        "day": sa.Date(),
        "reading": sa.SmallInteger(),
        "slice": sa.SmallInteger(),
    }
    return [sa.Column(name, kinds.get(name, sa.Integer()), primary_key=True) for name in names]


fact_day = _fact_table(
    "fact_day",
    "What is counted of a unit on a local day; see store.contributions.",
    *_fact_keys("unit_id", "day", "reading", "slice"),
)
fact_month = _fact_table(
    "fact_month",
    "The same of a month, named by its first day; slice 0 is everything.",
    *_fact_keys("unit_id", "slice", "reading", "day"),
    sa.Index("ix_fact_month_slice_day", "slice", "day"),
)
fact_year = _fact_table(
    "fact_year",
    "The same of a year; slice 0 is everything.",
    *_fact_keys("unit_id", "slice", "reading", "day"),
    sa.Index("ix_fact_year_slice_day", "slice", "day"),
)
fact_procedure_month = _fact_table(
    "fact_procedure_month",
    "The same of a month and a procedure; procedure 0 is unknown.",
    *_fact_keys("unit_id", "day", "procedure_id", "reading", "slice"),
    sa.Index("ix_fact_procedure_month_procedure_id_day", "procedure_id", "day"),
)

fact_corner = sa.Table(
    "fact_corner",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True, comment="on which it passed"),
    sa.Column("seen_on", sa.Date, primary_key=True, comment="from which on it counts, later"),
    sa.Column("counter", sa.SmallInteger, primary_key=True),
    sa.Column("reading", sa.SmallInteger, primary_key=True),
    sa.Column("slice", sa.SmallInteger, primary_key=True),
    sa.Column("procedure_id", sa.Integer, primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Index("ix_fact_corner_day", "day"),
    comment="What passed on a day and is judged anew later: an apology, a late withdrawal.",
)

fact_ahead = sa.Table(
    "fact_ahead",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("at", Instant, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True, comment="on which it passed"),
    sa.Column("counter", sa.SmallInteger, primary_key=True),
    sa.Column("reading", sa.SmallInteger, primary_key=True),
    sa.Column("slice", sa.SmallInteger, primary_key=True),
    sa.Column("procedure_id", sa.Integer, primary_key=True),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Index("ix_fact_ahead_at", "at"),
    comment="What will count from an instant within a day: so that today can be cut at now.",
)

fact_state = sa.Table(
    "fact_state",
    metadata,
    sa.Column("sole", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("latest", Instant, nullable=False, comment="recording among what was folded"),
    sa.Column("tree", UUID(as_uuid=True), comment="stamp of the units by which sums were made"),
    sa.CheckConstraint("sole", name="single"),
    comment="How far the facts were folded; one row.",
)

fact_lineage = sa.Table(
    "fact_lineage",
    metadata,
    sa.Column("above_id", sa.Integer, primary_key=True),
    sa.Column("unit_id", sa.Integer, primary_key=True),
    comment="Whose rows are in the sums of a unit with all below it: the tree they are kept by.",
)

period = sa.Table(
    "period",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("first", sa.Date, nullable=False),
    sa.Column("last", sa.Date, nullable=False),
    sa.Column("kind", sa.Text),
    sa.Column("label", sa.Text),
    sa.Column("as_of", Instant, nullable=False),
    sa.Column("known_at", Instant, nullable=False),
    _now("closed_at"),
    sa.Column("closed_by", sa.Text, nullable=False),
    sa.Column("document", sa.Text),
    sa.Column("readings", ARRAY(sa.Text), nullable=False),
    sa.Column("counts", ARRAY(sa.Text), nullable=False, comment="names of period_row.counts"),
    sa.Column("definitions", ARRAY(sa.Text), nullable=False),
    sa.Column("default_definition", sa.Text, nullable=False),
    sa.Column("units", JSONB, nullable=False, comment="the tree as it stood"),
    sa.Column("gaps", JSONB, nullable=False, comment="sources that had fallen silent, by unit"),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.UniqueConstraint("unit_id", "first", "last"),
    sa.CheckConstraint("first <= last", name="span"),
    sa.CheckConstraint("cardinality(readings) > 0", name="readings"),
    sa.Index("ix_period_id", "id"),
    sa.Index("ix_period_closed_at", "closed_at", "id"),
    comment="Periods whose figures were closed, with their digest. Append-only.",
)

period_row = sa.Table(
    "period_row",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("period_id", UUID(as_uuid=True), primary_key=True),
    sa.Column("reading", sa.Text, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("field", sa.Text),
    sa.Column("procedure", sa.Text),
    sa.Column("is_same_day", sa.Boolean, nullable=False),
    sa.Column("counts", ARRAY(sa.Integer), nullable=False),
    comment="The counts of a closed period by unit, field and procedure. Append-only.",
)

source_heard = sa.Table(
    "source_heard",
    metadata,
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("unit_id", sa.Integer, primary_key=True, comment="the home unit; 0 is any unit"),
    sa.Column("heard_on", sa.Date, primary_key=True),
    sa.Index(
        "ix_source_heard_unit_id_source_id_heard_on",
        "unit_id",
        "source_id",
        sa.text("heard_on DESC"),
    ),
    comment="The local days on which a source told anything of a unit's dossiers.",
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("unit_lft", sa.BigInteger, nullable=False),
    sa.Column("source_id", sa.Integer, nullable=False),
    sa.Column("key_id", sa.Integer),
    sa.Column("door", sa.Text, nullable=False),
    sa.Column("code", sa.Text),
    sa.Column("raw", JSONB, nullable=False),
    sa.Column("faults", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
    _now(),
    sa.Column("settled_at", Instant),
    sa.CheckConstraint("state IN ('waiting', 'accepted')", name="state"),
    sa.Index("ix_quarantine_unit_lft_recorded_at", "unit_lft", "recorded_at"),
    comment="Records that could not be accepted, stripped of persons, with the reasons.",
)

import_job = sa.Table(
    "import_job",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("source_id", sa.Integer, nullable=False),
    sa.Column("unit_id", sa.Integer, nullable=False, comment="root of its words; 0 is everything"),
    sa.Column("unit_lft", sa.BigInteger, nullable=False),
    sa.Column("file_hash", sa.LargeBinary, nullable=False, comment="of the file and its mapping"),
    sa.Column("mapping", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="running"),
    sa.Column("total_rows", sa.Integer, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now("started_at"),
    sa.Column("finished_at", Instant),
    sa.UniqueConstraint("source_id", "unit_id", "file_hash"),
    sa.CheckConstraint("state IN ('running', 'done')", name="state"),
    comment="Files of records that were begun, each read in one way.",
)

import_lane = sa.Table(
    "import_lane",
    metadata,
    sa.Column("job_id", UUID(as_uuid=True), sa.ForeignKey("import_job.id"), primary_key=True),
    sa.Column("lane", sa.SmallInteger, primary_key=True, comment="rows of some dossiers, from 0"),
    sa.Column("next_row", sa.Integer, nullable=False, comment="the first row not yet taken"),
    sa.Column("counts", JSONB, nullable=False, server_default="{}"),
    _now("updated_at"),
    sa.CheckConstraint("next_row > 0", name="next_row"),
    comment="How far each lane of a file was taken in, so that it goes on where it stopped.",
)

import_refusal = sa.Table(
    "import_refusal",
    metadata,
    sa.Column("job_id", UUID(as_uuid=True), primary_key=True),
    sa.Column("row", sa.Integer, primary_key=True),
    sa.Column("unit_id", sa.Integer, nullable=False),
    sa.Column("quarantine_id", UUID(as_uuid=True), nullable=False),
    comment="Which row of a file waits in quarantine, and under which number.",
)

pull_state = sa.Table(
    "pull_state",
    metadata,
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("cursor", Instant, comment="news up to here has been read"),
    sa.Column("reaching", Instant, comment="the cursor once the pull under way is done"),
    sa.Column("next_page", sa.Integer, nullable=False, server_default="0"),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("counts", JSONB, nullable=False, server_default="{}"),
    _now("updated_at"),
    sa.Column("succeeded_at", Instant),
    sa.CheckConstraint("next_page >= 0", name="next_page"),
    comment="How far each source that we ask has been read, so that a pull goes on.",
)

# ---------------------------------------------------------------- alerts, outbox, runs, audit

webhook = sa.Table(
    "webhook",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", ARRAY(sa.Text), nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("previous_secret", sa.LargeBinary),
    sa.Column("previous_until", Instant),
    sa.Column("disabled_at", Instant),
    sa.Column("disabled_reason", sa.Text),
    sa.Column("failures", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("resume_at", Instant, comment="left alone until then after failures in a row"),
    _now("created_at"),
    comment="Receivers of signed alerts; secrets are sealed. Reference table.",
)

alert = sa.Table(
    "alert",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("episode", sa.Integer, primary_key=True),
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("id", UUID(as_uuid=True), nullable=False),
    sa.Column("unit_lft", sa.BigInteger, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("recipient_unit_id", sa.Integer, nullable=False, comment="who is to know"),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("late_since", Instant, comment="NULL of a warning before the due moment"),
    sa.Column("occurred_at", Instant, nullable=False),
    _now("raised_at"),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("is_digest_only", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("acknowledged_at", Instant),
    sa.Column("acknowledged_by", sa.Text),
    sa.Column("acknowledged_reason", sa.Text),
    sa.UniqueConstraint("unit_id", "source_id", "code", "due_at", "stage"),
    sa.CheckConstraint("level IN ('unit', 'head', 'parent', 'province')", name="level"),
    sa.Index("ix_alert_unit_lft_raised_at", "unit_lft", "raised_at"),
    sa.Index("ix_alert_recipient", "recipient_unit_id", "level", "raised_at"),
    sa.Index("ix_alert_run_digest", "run", postgresql_where=sa.text("is_digest_only")),
    sa.Index("ix_alert_id", "id"),
    comment="One row per dossier, episode (due version) and stage: raised once, whoever asks.",
)

alert_setting = sa.Table(
    "alert_setting",
    metadata,
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("spec", JSONB(none_as_null=True), comment="NULL: as the unit above"),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    comment="Stages, levels and digest hours of a unit and those below, every state. Append-only.",
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("event_id", UUID(as_uuid=True), primary_key=True),
    sa.Column("webhook_id", UUID(as_uuid=True), primary_key=True),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    sa.Column("attempts", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("tries", sa.SmallInteger, nullable=False, server_default="0", comment="since queued"),
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("last_status", sa.SmallInteger),
    sa.Column("last_error", sa.Text),
    _now("created_at"),
    _now("queued_at"),
    sa.Column("settled_at", Instant),
    sa.CheckConstraint("state IN ('pending', 'delivered', 'dead')", name="state"),
    sa.Index(
        "ix_outbox_pending",
        "webhook_id",
        "next_at",
        postgresql_where=sa.text("state = 'pending'"),
    ),
    comment="What is still to be told to receivers, written with the change that it tells.",
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("event_id", UUID(as_uuid=True), primary_key=True),
    sa.Column("webhook_id", UUID(as_uuid=True), primary_key=True),
    sa.Column("attempt", sa.SmallInteger, primary_key=True),
    _now("at"),
    sa.Column("status", sa.SmallInteger),
    sa.Column("error", sa.Text),
    sa.Column("milliseconds", sa.Integer),
    sa.Index("ix_delivery_webhook_id_at", "webhook_id", "at"),
    comment="Every attempt to deliver, with its answer. Append-only.",
)

job_slot = sa.Table(
    "job_slot",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("slot", sa.Text, primary_key=True),
    sa.Column("as_of", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="new"),
    sa.Column("owner", sa.Text),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_until", Instant),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("found", JSONB, nullable=False, server_default="{}"),
    _now("created_at"),
    sa.CheckConstraint("state IN ('new', 'running', 'done', 'failed')", name="state"),
    comment="One row per job and slot: what is to run, who runs it, what it found.",
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _now("at"),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("unit_id", sa.Integer),
    sa.Column("before", JSONB),
    sa.Column("after", JSONB),
    comment="Who did what to what, before and after. Append-only.",
)

mapping = sa.Table(
    "mapping",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("unit_id", sa.Integer, primary_key=True, comment="the root of the key that told it"),
    sa.Column("told", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    sa.CheckConstraint("kind IN ('unit', 'procedure')", name="kind"),
    comment="What a sender's unknown word for a unit or procedure means. Append-only.",
)

# ---------------------------------------------------------------- mails

subscription = sa.Table(
    "subscription",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("topics", ARRAY(sa.Text), nullable=False),
    sa.Column("address", sa.LargeBinary, nullable=False, comment="sealed to this row"),
    sa.Column("address_digest", sa.LargeBinary, nullable=False, comment="keyed"),
    sa.Column("address_masked", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now("created_at"),
    sa.Column("confirmed_at", Instant),
    sa.Column("told_until", Instant, comment="alerts raised before this have had their digest"),
    sa.Column("last_slot", sa.Text),
    sa.Column("look_at", Instant, comment="when to ask whether a digest is due"),
    sa.Column("disabled_at", Instant),
    sa.Column("disabled_reason", sa.Text),
    sa.UniqueConstraint("unit_id", "level", "address_digest"),
    sa.CheckConstraint("level IN ('unit', 'head', 'parent', 'province')", name="level"),
    sa.CheckConstraint("cardinality(topics) > 0", name="topics"),
    sa.Index("ix_subscription_look_at", "look_at"),
    comment="Who gets digests by mail; addresses are sealed. Reference table.",
)

mail = sa.Table(
    "mail",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("subscription_id", UUID(as_uuid=True), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("slot", sa.Text, nullable=False),
    sa.Column("since", Instant, comment="of a digest: alerts raised from here …"),
    sa.Column("until", Instant, comment="… until here, exclusive"),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("tries", sa.SmallInteger, nullable=False, server_default="0", comment="answered"),
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("claimed_until", Instant),
    sa.Column("last_status", sa.SmallInteger),
    sa.Column("last_error", sa.Text),
    sa.Column("found", JSONB, nullable=False, server_default="{}"),
    _now("created_at"),
    sa.Column("settled_at", Instant),
    sa.UniqueConstraint("unit_id", "subscription_id", "kind", "slot"),
    sa.CheckConstraint("kind IN ('confirmation', 'digest')", name="kind"),
    sa.CheckConstraint("state IN ('pending', 'sent', 'empty', 'superseded', 'dead')", name="state"),
    sa.CheckConstraint("since <= until", name="span"),
    sa.Index("ix_mail_pending", "next_at", postgresql_where=sa.text("state = 'pending'")),
    sa.Index("ix_mail_dead", "settled_at", postgresql_where=sa.text("state = 'dead'")),
    sa.Index("ix_mail_subscription_id_created_at", "subscription_id", "created_at"),
    comment="Mails that are to go out, went out or were given up: one for a slot.",
)

mail_attempt = sa.Table(
    "mail_attempt",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("mail_id", UUID(as_uuid=True), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    _now("at"),
    sa.Column("status", sa.SmallInteger),
    sa.Column("error", sa.Text),
    sa.Column("milliseconds", sa.Integer),
    comment="Every attempt to send a mail, with the answer. Append-only.",
)

mute = sa.Table(
    "mute",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), nullable=False),
    sa.Column("source_id", sa.Integer, comment="of one dossier; NULL: everything of the unit"),
    sa.Column("code", sa.Text),
    sa.Column("stage", sa.Text, comment="NULL: every stage"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now("created_at"),
    sa.Column("lifted_at", Instant),
    sa.Column("lifted_by", sa.Text),
    sa.CheckConstraint("(source_id IS NULL) = (code IS NULL)", name="dossier"),
    sa.Index("ix_mute_code", "code"),
    sa.Index("ix_mute_unit_id_created_at", "unit_id", "created_at"),
    comment="What is not sent for a while, and why; it hides nothing from any figure.",
)

silence = sa.Table(
    "silence",
    metadata,
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("last_heard_on", sa.Date, primary_key=True),
    sa.Column("id", UUID(as_uuid=True), nullable=False, unique=True),
    sa.Column("rhythm", sa.Integer, nullable=False),
    _now("raised_at"),
    sa.Column("resolved_at", Instant),
    comment="Sources that fell silent: one row for each silence, resolved when heard again.",
)

# ---------------------------------------------------------------- why dossiers come late

late_cause_own = sa.Table(
    "late_cause_own",
    metadata,
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("group", sa.Text, nullable=False),
    sa.Column("vi", sa.Text, nullable=False),
    sa.Column("en", sa.Text, nullable=False),
    sa.Column("is_retired", sa.Boolean, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    comment="Causes of lateness that units added for their subtrees. Append-only.",
)

late_cause = sa.Table(
    "late_cause",
    metadata,
    sa.Column("source_id", sa.Integer, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("unit_id", sa.Integer, primary_key=True, comment="the home unit, never changed"),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    comment="Why a dossier was late, as somebody said; the last word holds. Append-only.",
)

# ---------------------------------------------------------------- rule sets and scorecards

rule_set_version = sa.Table(
    "rule_set_version",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("owner_id", sa.Integer, sa.ForeignKey("unit.id"), comment="NULL is everybody's"),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("first_on", sa.Date),
    sa.Column("last_on", sa.Date),
    sa.Column("replaces", sa.Integer, comment="the version that this one puts out of use"),
    sa.Column("document", sa.Text),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    sa.CheckConstraint("version > 0 AND replaces < version", name="version"),
    sa.CheckConstraint("last_on >= first_on", name="validity"),
    comment="Rule sets of offices, as they were put. Append-only. Reference table.",
)

rule_set_confirmation = sa.Table(
    "rule_set_confirmation",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True, comment="for whom; 0 is everybody"),
    sa.Column("rule_set", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    comment="Numbers of a rule set that a named person confirmed. Append-only. Reference table.",
)

register_entry = sa.Table(
    "register_entry",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("register", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("spec", JSONB, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    sa.CheckConstraint("register IN ('publication', 'petition')", name="register"),
    comment="What units told of publications and petitions, by code. Append-only: the last holds.",
)

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), primary_key=True),
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    sa.CheckConstraint("size > 0", name="size"),
    comment="Files that prove what a sheet says, by SHA-256. Append-only.",
)

evidence_piece = sa.Table(
    "evidence_piece",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True),
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.ForeignKeyConstraint(["unit_id", "hash"], ["evidence.unit_id", "evidence.hash"]),
    comment="The bytes of evidence, 256 KiB a row. Append-only.",
)

score_entry = sa.Table(
    "score_entry",
    metadata,
    sa.Column("unit_id", sa.Integer, sa.ForeignKey("unit.id"), primary_key=True),
    sa.Column("rule_set", sa.Text, primary_key=True),
    sa.Column("first_on", sa.Date, primary_key=True),
    sa.Column("last_on", sa.Date, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("round", sa.Text),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("author", sa.Text, comment="the person, as the sender names them"),
    sa.Column("actor", sa.Text, nullable=False),
    _now(),
    sa.CheckConstraint("last_on >= first_on", name="period"),
    sa.CheckConstraint(
        "(kind IN ('opened', 'filled', 'closed')) = (round IS NOT NULL)", name="round"
    ),
    sa.Index("ix_score_entry_rule_set_period", "rule_set", "first_on", "last_on"),
    comment="What people put on the score sheet of a unit for a period. Append-only.",
)

feed_edition = sa.Table(
    "feed_edition",
    metadata,
    sa.Column("unit_id", sa.Integer, primary_key=True, comment="the root whose units it scores"),
    sa.Column("rule_set", sa.Text, primary_key=True),
    sa.Column("year", sa.SmallInteger, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("known_at", Instant, nullable=False),
    sa.Column("as_of", Instant, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, comment="of what it says, not of when"),
    sa.Column("is_final", sa.Boolean, nullable=False),
    sa.Column("period_id", UUID(as_uuid=True), comment="the closed period behind a final one"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="the document, byte for byte"),
    _now(),
    sa.CheckConstraint("is_final = (period_id IS NOT NULL)", name="final"),
    comment="Editions of the index feed: one whenever it says something new. Append-only.",
)

install = sa.Table(
    "install",
    metadata,
    sa.Column("sole", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("purpose", sa.Text, nullable=False),
    _now("created_at"),
    sa.CheckConstraint("sole", name="single"),
    sa.CheckConstraint("purpose IN ('demo', 'production')", name="purpose"),
    comment="What this database is for, so that a demo never touches another.",
)
