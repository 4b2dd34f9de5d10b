"""Create the first schema.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "dossier_record",
    "audit",
    "unit_revision",
    "succession",
    "procedure_revision",
    "calendar_version",
    "mapping",
    "precedence",
    "retirement",
    "delivery",
    "period",
    "period_row",
    "mail_attempt",
    "alert_setting",
    "register_entry",
    "feed_edition",
    "late_cause",
    "late_cause_own",
    "rule_set_version",
    "rule_set_confirmation",
    "score_entry",
    "evidence",
    "evidence_piece",
)
STAMPED = (
    "calendar",
    "calendar_version",
    "mapping",
    "procedure",
    "procedure_revision",
    "succession",
    "unit",
    "unit_revision",
)


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("unit_lft", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("recipient_unit_id", sa.Integer(), nullable=False, comment="who is to know"),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "late_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="NULL of a warning before the due moment",
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "raised_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("is_digest_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("acknowledged_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "level IN ('unit', 'head', 'parent', 'province')", name=op.f("ck_alert_level")
        ),
        sa.PrimaryKeyConstraint(
            "unit_id", "source_id", "code", "episode", "stage", name=op.f("pk_alert")
        ),
        sa.UniqueConstraint(
            "unit_id",
            "source_id",
            "code",
            "due_at",
            "stage",
            name=op.f("uq_alert_unit_id_source_id_code_due_at_stage"),
        ),
        comment="One row per dossier, episode (due version) and stage: raised once, whoever asks.",
    )
    op.create_index("ix_alert_id", "alert", ["id"], unique=False)
    op.create_index(
        "ix_alert_recipient", "alert", ["recipient_unit_id", "level", "raised_at"], unique=False
    )
    op.create_index(
        "ix_alert_run_digest",
        "alert",
        ["run"],
        unique=False,
        postgresql_where=sa.text("is_digest_only"),
    )
    op.create_index("ix_alert_unit_lft_raised_at", "alert", ["unit_lft", "raised_at"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        comment="Who did what to what, before and after. Append-only.",
    )
    op.create_table(
        "catalogue_stamp",
        sa.Column("name", sa.Text(), nullable=False, comment="of the table"),
        sa.Column("stamp", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_catalogue_stamp")),
        comment="A new random stamp whenever a table of words changes (by trigger), for memories.",
    )
    op.create_table(
        "delivery",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("webhook_id", sa.UUID(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint(
            "unit_id", "event_id", "webhook_id", "attempt", name=op.f("pk_delivery")
        ),
        comment="Every attempt to deliver, with its answer. Append-only.",
    )
    op.create_index("ix_delivery_webhook_id_at", "delivery", ["webhook_id", "at"], unique=False)
    op.create_table(
        "dossier",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("unit_lft", sa.BigInteger(), nullable=False),
        sa.Column("home_unit_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("first_recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("is_leg", sa.Boolean(), nullable=False),
        sa.Column(
            "is_counted", sa.Boolean(), nullable=False, comment="false: listed, in no figure"
        ),
        sa.Column(
            "same_as", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.Column("procedure_id", sa.Integer(), nullable=True),
        sa.Column("procedure_told", sa.Text(), nullable=True),
        sa.Column("unit_told", sa.Text(), nullable=True),
        sa.Column("case", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("applicant_type", sa.Text(), nullable=False),
        sa.Column("applicant_hash", sa.Text(), nullable=True),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("leg", sa.Text(), nullable=True),
        sa.Column("other_codes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("official", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clock_start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("return_method", sa.Text(), nullable=True),
        sa.Column(
            "place_independent", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("paid_online", sa.Boolean(), nullable=True),
        sa.Column("digitised", sa.Boolean(), nullable=True),
        sa.Column("contacts", sa.Integer(), nullable=True),
        sa.Column("bodies_contacted", sa.Integer(), nullable=True),
        sa.Column("founded_complaints", sa.Integer(), nullable=True),
        sa.Column("limit_kind", sa.Text(), nullable=True),
        sa.Column(
            "online_level",
            sa.Text(),
            nullable=True,
            comment="of the procedure, as the catalogue told it last",
        ),
        sa.Column("due_origin", sa.Text(), nullable=False),
        sa.Column("is_provisional", sa.Boolean(), nullable=False),
        sa.Column("apology_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("apology_exempt", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("issues", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column(
            "overlong_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the open pause then outlasts the whole limit",
        ),
        sa.Column(
            "supplement_at",
            postgresql.ARRAY(sa.DateTime(timezone=True)),
            server_default="{}",
            nullable=False,
        ),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("early_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("on_time_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("edge_at", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.Column("edge_state", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("edge_flow", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("edge_due", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column(
            "edge_days",
            postgresql.ARRAY(sa.SmallInteger()),
            server_default="{}",
            nullable=False,
            comment="working days that each finish took; empty without one",
        ),
        sa.CheckConstraint(
            "channel IN ('online', 'in_person', 'post', 'unknown')", name=op.f("ck_dossier_channel")
        ),
        sa.CheckConstraint(
            "due_origin IN ('told', 'computed', 'none')", name=op.f("ck_dossier_due_origin")
        ),
        sa.CheckConstraint(
            "cardinality(edge_at) = cardinality(edge_state) AND cardinality(edge_at) = cardinality(edge_flow) AND cardinality(edge_at) = cardinality(edge_due)",
            name=op.f("ck_dossier_edges_agree"),
        ),
        sa.PrimaryKeyConstraint("unit_id", "source_id", "code", name=op.f("pk_dossier")),
        comment="One stay of a dossier (hồ sơ) at a unit, as folded from the record; promised reading.",
    )
    op.create_index(
        "ix_dossier_apology_at",
        "dossier",
        ["unit_lft", "apology_at"],
        unique=False,
        postgresql_where=sa.text("apology_at IS NOT NULL"),
    )
    op.create_index(
        "ix_dossier_apology_exempt",
        "dossier",
        ["unit_lft", "due_on"],
        unique=False,
        postgresql_where=sa.text("apology_exempt"),
    )
    op.create_index("ix_dossier_code", "dossier", ["code"], unique=False)
    op.create_index(
        "ix_dossier_letter_owed",
        "dossier",
        ["unit_lft", "due_on"],
        unique=False,
        postgresql_where=sa.text(
            "edge_state[cardinality(edge_state)] = 42 AND apology_at IS NULL AND NOT apology_exempt"
        ),
    )
    op.create_index(
        "ix_dossier_open_leg_parent",
        "dossier",
        ["source_id", "parent"],
        unique=False,
        postgresql_where=sa.text("is_leg AND is_open"),
    )
    op.create_index(
        "ix_dossier_open_on_time_until",
        "dossier",
        ["on_time_until", "unit_id", "source_id", "code"],
        unique=False,
        postgresql_where=sa.text("is_open"),
    )
    op.create_index(
        "ix_dossier_other_codes",
        "dossier",
        ["other_codes"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("other_codes <> '{}'"),
    )
    op.create_index(
        "ix_dossier_parent",
        "dossier",
        ["source_id", "parent"],
        unique=False,
        postgresql_where=sa.text("parent IS NOT NULL"),
    )
    op.create_index(
        "ix_dossier_same_as",
        "dossier",
        ["unit_lft"],
        unique=False,
        postgresql_where=sa.text("same_as <> '[]'"),
    )
    op.create_index(
        "ix_dossier_unit_lft_received_at", "dossier", ["unit_lft", "received_at"], unique=False
    )
    op.create_table(
        "dossier_change",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sign", sa.SmallInteger(), nullable=False, comment="1 written, -1 superseded"),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("sign IN (1, -1)", name=op.f("ck_dossier_change_sign")),
        comment="Versions of dossiers that the facts do not hold yet; written with them, then folded.",
        postgresql_with={
            "autovacuum_vacuum_scale_factor": "0",
            "autovacuum_vacuum_threshold": "20000",
            "autovacuum_vacuum_insert_threshold": "-1",
            "autovacuum_analyze_scale_factor": "0",
            "autovacuum_analyze_threshold": "1000000000",
        },
    )
    op.create_table(
        "dossier_past",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "superseded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("unit_lft", sa.BigInteger(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("applicant_type", sa.Text(), nullable=False),
        sa.Column("limit_kind", sa.Text(), nullable=True),
        sa.Column("online_level", sa.Text(), nullable=True),
        sa.Column("return_method", sa.Text(), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_leg", sa.Boolean(), nullable=False),
        sa.Column("is_counted", sa.Boolean(), nullable=False),
        sa.Column("apology_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("apology_exempt", sa.Boolean(), nullable=False),
        sa.Column("supplement_at", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.Column("edge_at", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.Column("edge_state", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("edge_flow", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("edge_due", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column(
            "edge_days", postgresql.ARRAY(sa.SmallInteger()), server_default="{}", nullable=False
        ),
        sa.Column("clock_start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("readings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issues", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("overlong_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint(
            "unit_id", "source_id", "code", "version", name=op.f("pk_dossier_past")
        ),
        comment="What we believed of a dossier from recorded_at until superseded_at. Append-only.",
    )
    op.create_table(
        "dossier_reading",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reading", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("early_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("on_time_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("edge_at", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.Column("edge_state", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("edge_flow", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("edge_due", postgresql.ARRAY(sa.Date()), nullable=False),
        sa.Column(
            "edge_days",
            postgresql.ARRAY(sa.SmallInteger()),
            server_default="{}",
            nullable=False,
            comment="working days that each finish took; empty without one",
        ),
        sa.CheckConstraint(
            "reading IN ('extended', 'as_sent', 'statutory')",
            name=op.f("ck_dossier_reading_reading"),
        ),
        sa.CheckConstraint(
            "cardinality(edge_at) = cardinality(edge_state) AND cardinality(edge_at) = cardinality(edge_flow) AND cardinality(edge_at) = cardinality(edge_due)",
            name=op.f("ck_dossier_reading_edges_agree"),
        ),
        sa.PrimaryKeyConstraint(
            "unit_id", "source_id", "code", "reading", name=op.f("pk_dossier_reading")
        ),
        comment="The other readings of the due date, kept only where they differ from promised.",
    )
    op.create_table(
        "dossier_record",
        sa.Column("unit_id", sa.Integer(), nullable=False, comment="the home unit, never changed"),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stamped", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.Column("told", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=True),
        sa.Column(
            "root_unit_id", sa.Integer(), nullable=False, comment="of the key; 0 is everything"
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint(
            "unit_id", "source_id", "code", "seq", name=op.f("pk_dossier_record")
        ),
        comment="What senders told us, stripped of persons. Append-only: everything rebuilds from it.",
    )
    op.create_table(
        "fact_ahead",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="on which it passed"),
        sa.Column("counter", sa.SmallInteger(), nullable=False),
        sa.Column("reading", sa.SmallInteger(), nullable=False),
        sa.Column("slice", sa.SmallInteger(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "unit_id",
            "at",
            "day",
            "counter",
            "reading",
            "slice",
            "procedure_id",
            name=op.f("pk_fact_ahead"),
        ),
        comment="What will count from an instant within a day: so that today can be cut at now.",
    )
    op.create_index("ix_fact_ahead_at", "fact_ahead", ["at"], unique=False)
    op.create_table(
        "fact_corner",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="on which it passed"),
        sa.Column("seen_on", sa.Date(), nullable=False, comment="from which on it counts, later"),
        sa.Column("counter", sa.SmallInteger(), nullable=False),
        sa.Column("reading", sa.SmallInteger(), nullable=False),
        sa.Column("slice", sa.SmallInteger(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "unit_id",
            "day",
            "seen_on",
            "counter",
            "reading",
            "slice",
            "procedure_id",
            name=op.f("pk_fact_corner"),
        ),
        comment="What passed on a day and is judged anew later: an apology, a late withdrawal.",
    )
    op.create_index("ix_fact_corner_day", "fact_corner", ["day"], unique=False)
    op.create_table(
        "fact_day",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reading", sa.SmallInteger(), nullable=False),
        sa.Column("slice", sa.SmallInteger(), nullable=False),
        sa.Column("received_online", sa.Integer(), nullable=True),
        sa.Column("received_in_person", sa.Integer(), nullable=True),
        sa.Column("received_by_post", sa.Integer(), nullable=True),
        sa.Column("received_unknown_channel", sa.Integer(), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=True),
        sa.Column("transferred_in", sa.Integer(), nullable=True),
        sa.Column("succeeded_in", sa.Integer(), nullable=True),
        sa.Column("finished_early", sa.Integer(), nullable=True),
        sa.Column("finished_on_time", sa.Integer(), nullable=True),
        sa.Column("finished_late", sa.Integer(), nullable=True),
        sa.Column("finished_no_due", sa.Integer(), nullable=True),
        sa.Column("withdrawn", sa.Integer(), nullable=True),
        sa.Column("withdrawn_late", sa.Integer(), nullable=True),
        sa.Column("stopped", sa.Integer(), nullable=True),
        sa.Column("voided", sa.Integer(), nullable=True),
        sa.Column("transferred_out", sa.Integer(), nullable=True),
        sa.Column("succeeded_out", sa.Integer(), nullable=True),
        sa.Column("refused_at_intake", sa.Integer(), nullable=True),
        sa.Column("intake_late", sa.Integer(), nullable=True),
        sa.Column("submitted_online_full", sa.Integer(), nullable=True),
        sa.Column("submitted_online_partial", sa.Integer(), nullable=True),
        sa.Column("submitted_online_information", sa.Integer(), nullable=True),
        sa.Column("submitted_online_unknown", sa.Integer(), nullable=True),
        sa.Column("finished_late_with_apology", sa.Integer(), nullable=True),
        sa.Column("finished_late_apology_exempt", sa.Integer(), nullable=True),
        sa.Column("due", sa.Integer(), nullable=True),
        sa.Column("due_met", sa.Integer(), nullable=True),
        sa.Column("returned_by_post", sa.Integer(), nullable=True),
        sa.Column("returned_at_counter", sa.Integer(), nullable=True),
        sa.Column("returned_online", sa.Integer(), nullable=True),
        sa.Column("left_766", sa.Integer(), nullable=True),
        sa.Column("left_766_on_time", sa.Integer(), nullable=True),
        sa.Column("open_in_time", sa.Integer(), nullable=True),
        sa.Column("open_overdue", sa.Integer(), nullable=True),
        sa.Column("open_no_due", sa.Integer(), nullable=True),
        sa.Column("paused", sa.Integer(), nullable=True),
        sa.Column("awaiting_intake_in_time", sa.Integer(), nullable=True),
        sa.Column("awaiting_intake_overdue", sa.Integer(), nullable=True),
        sa.Column("receipt_unknown", sa.Integer(), nullable=True),
        sa.Column("open_overdue_with_apology", sa.Integer(), nullable=True),
        sa.Column("open_overdue_apology_exempt", sa.Integer(), nullable=True),
        sa.Column("held_766_on_time", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("unit_id", "day", "reading", "slice", name=op.f("pk_fact_day")),
        comment="What is counted of a unit on a local day; see store.contributions.",
    )
    op.create_table(
        "fact_lineage",
        sa.Column("above_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("above_id", "unit_id", name=op.f("pk_fact_lineage")),
        comment="Whose rows are in the sums of a unit with all below it: the tree they are kept by.",
    )
    op.create_table(
        "fact_month",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("slice", sa.SmallInteger(), nullable=False),
        sa.Column("reading", sa.SmallInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("received_online", sa.Integer(), nullable=True),
        sa.Column("received_in_person", sa.Integer(), nullable=True),
        sa.Column("received_by_post", sa.Integer(), nullable=True),
        sa.Column("received_unknown_channel", sa.Integer(), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=True),
        sa.Column("transferred_in", sa.Integer(), nullable=True),
        sa.Column("succeeded_in", sa.Integer(), nullable=True),
        sa.Column("finished_early", sa.Integer(), nullable=True),
        sa.Column("finished_on_time", sa.Integer(), nullable=True),
        sa.Column("finished_late", sa.Integer(), nullable=True),
        sa.Column("finished_no_due", sa.Integer(), nullable=True),
        sa.Column("withdrawn", sa.Integer(), nullable=True),
        sa.Column("withdrawn_late", sa.Integer(), nullable=True),
        sa.Column("stopped", sa.Integer(), nullable=True),
        sa.Column("voided", sa.Integer(), nullable=True),
        sa.Column("transferred_out", sa.Integer(), nullable=True),
        sa.Column("succeeded_out", sa.Integer(), nullable=True),
        sa.Column("refused_at_intake", sa.Integer(), nullable=True),
        sa.Column("intake_late", sa.Integer(), nullable=True),
        sa.Column("submitted_online_full", sa.Integer(), nullable=True),
        sa.Column("submitted_online_partial", sa.Integer(), nullable=True),
        sa.Column("submitted_online_information", sa.Integer(), nullable=True),
        sa.Column("submitted_online_unknown", sa.Integer(), nullable=True),
        sa.Column("finished_late_with_apology", sa.Integer(), nullable=True),
        sa.Column("finished_late_apology_exempt", sa.Integer(), nullable=True),
        sa.Column("due", sa.Integer(), nullable=True),
        sa.Column("due_met", sa.Integer(), nullable=True),
        sa.Column("returned_by_post", sa.Integer(), nullable=True),
        sa.Column("returned_at_counter", sa.Integer(), nullable=True),
        sa.Column("returned_online", sa.Integer(), nullable=True),
        sa.Column("left_766", sa.Integer(), nullable=True),
        sa.Column("left_766_on_time", sa.Integer(), nullable=True),
        sa.Column("open_in_time", sa.Integer(), nullable=True),
        sa.Column("open_overdue", sa.Integer(), nullable=True),
        sa.Column("open_no_due", sa.Integer(), nullable=True),
        sa.Column("paused", sa.Integer(), nullable=True),
        sa.Column("awaiting_intake_in_time", sa.Integer(), nullable=True),
        sa.Column("awaiting_intake_overdue", sa.Integer(), nullable=True),
        sa.Column("receipt_unknown", sa.Integer(), nullable=True),
        sa.Column("open_overdue_with_apology", sa.Integer(), nullable=True),
        sa.Column("open_overdue_apology_exempt", sa.Integer(), nullable=True),
        sa.Column("held_766_on_time", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("unit_id", "slice", "reading", "day", name=op.f("pk_fact_month")),
        comment="The same of a month, named by its first day; slice 0 is everything.",
    )
    op.create_index("ix_fact_month_slice_day", "fact_month", ["slice", "day"], unique=False)
    op.create_table(
        "fact_procedure_month",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("reading", sa.SmallInteger(), nullable=False),
        sa.Column("slice", sa.SmallInteger(), nullable=False),
        sa.Column("received_online", sa.Integer(), nullable=True),
        sa.Column("received_in_person", sa.Integer(), nullable=True),
        sa.Column("received_by_post", sa.Integer(), nullable=True),
        sa.Column("received_unknown_channel", sa.Integer(), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=True),
        sa.Column("transferred_in", sa.Integer(), nullable=True),
        sa.Column("succeeded_in", sa.Integer(), nullable=True),
        sa.Column("finished_early", sa.Integer(), nullable=True),
        sa.Column("finished_on_time", sa.Integer(), nullable=True),
        sa.Column("finished_late", sa.Integer(), nullable=True),
        sa.Column("finished_no_due", sa.Integer(), nullable=True),
        sa.Column("withdrawn", sa.Integer(), nullable=True),
        sa.Column("withdrawn_late", sa.Integer(), nullable=True),
        sa.Column("stopped", sa.Integer(), nullable=True),
        sa.Column("voided", sa.Integer(), nullable=True),
        sa.Column("transferred_out", sa.Integer(), nullable=True),
        sa.Column("succeeded_out", sa.Integer(), nullable=True),
        sa.Column("refused_at_intake", sa.Integer(), nullable=True),
        sa.Column("intake_late", sa.Integer(), nullable=True),
        sa.Column("submitted_online_full", sa.Integer(), nullable=True),
        sa.Column("submitted_online_partial", sa.Integer(), nullable=True),
        sa.Column("submitted_online_information", sa.Integer(), nullable=True),
        sa.Column("submitted_online_unknown", sa.Integer(), nullable=True),
        sa.Column("finished_late_with_apology", sa.Integer(), nullable=True),
        sa.Column("finished_late_apology_exempt", sa.Integer(), nullable=True),
        sa.Column("due", sa.Integer(), nullable=True),
        sa.Column("due_met", sa.Integer(), nullable=True),
        sa.Column("returned_by_post", sa.Integer(), nullable=True),
        sa.Column("returned_at_counter", sa.Integer(), nullable=True),
        sa.Column("returned_online", sa.Integer(), nullable=True),
        sa.Column("left_766", sa.Integer(), nullable=True),
        sa.Column("left_766_on_time", sa.Integer(), nullable=True),
        sa.Column("open_in_time", sa.Integer(), nullable=True),
        sa.Column("open_overdue", sa.Integer(), nullable=True),
        sa.Column("open_no_due", sa.Integer(), nullable=True),
        sa.Column("paused", sa.Integer(), nullable=True),
        sa.Column("awaiting_intake_in_time", sa.Integer(), nullable=True),
        sa.Column("awaiting_intake_overdue", sa.Integer(), nullable=True),
        sa.Column("receipt_unknown", sa.Integer(), nullable=True),
        sa.Column("open_overdue_with_apology", sa.Integer(), nullable=True),
        sa.Column("open_overdue_apology_exempt", sa.Integer(), nullable=True),
        sa.Column("held_766_on_time", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint(
            "unit_id",
            "day",
            "procedure_id",
            "reading",
            "slice",
            name=op.f("pk_fact_procedure_month"),
        ),
        comment="The same of a month and a procedure; procedure 0 is unknown.",
    )
    op.create_index(
        "ix_fact_procedure_month_procedure_id_day",
        "fact_procedure_month",
        ["procedure_id", "day"],
        unique=False,
    )
    op.create_table(
        "fact_state",
        sa.Column("sole", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "latest",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="recording among what was folded",
        ),
        sa.Column(
            "tree", sa.UUID(), nullable=True, comment="stamp of the units by which sums were made"
        ),
        sa.CheckConstraint("sole", name=op.f("ck_fact_state_single")),
        sa.PrimaryKeyConstraint("sole", name=op.f("pk_fact_state")),
        comment="How far the facts were folded; one row.",
    )
    op.create_table(
        "fact_year",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("slice", sa.SmallInteger(), nullable=False),
        sa.Column("reading", sa.SmallInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("received_online", sa.Integer(), nullable=True),
        sa.Column("received_in_person", sa.Integer(), nullable=True),
        sa.Column("received_by_post", sa.Integer(), nullable=True),
        sa.Column("received_unknown_channel", sa.Integer(), nullable=True),
        sa.Column("reopened", sa.Integer(), nullable=True),
        sa.Column("transferred_in", sa.Integer(), nullable=True),
        sa.Column("succeeded_in", sa.Integer(), nullable=True),
        sa.Column("finished_early", sa.Integer(), nullable=True),
        sa.Column("finished_on_time", sa.Integer(), nullable=True),
        sa.Column("finished_late", sa.Integer(), nullable=True),
        sa.Column("finished_no_due", sa.Integer(), nullable=True),
        sa.Column("withdrawn", sa.Integer(), nullable=True),
        sa.Column("withdrawn_late", sa.Integer(), nullable=True),
        sa.Column("stopped", sa.Integer(), nullable=True),
        sa.Column("voided", sa.Integer(), nullable=True),
        sa.Column("transferred_out", sa.Integer(), nullable=True),
        sa.Column("succeeded_out", sa.Integer(), nullable=True),
        sa.Column("refused_at_intake", sa.Integer(), nullable=True),
        sa.Column("intake_late", sa.Integer(), nullable=True),
        sa.Column("submitted_online_full", sa.Integer(), nullable=True),
        sa.Column("submitted_online_partial", sa.Integer(), nullable=True),
        sa.Column("submitted_online_information", sa.Integer(), nullable=True),
        sa.Column("submitted_online_unknown", sa.Integer(), nullable=True),
        sa.Column("finished_late_with_apology", sa.Integer(), nullable=True),
        sa.Column("finished_late_apology_exempt", sa.Integer(), nullable=True),
        sa.Column("due", sa.Integer(), nullable=True),
        sa.Column("due_met", sa.Integer(), nullable=True),
        sa.Column("returned_by_post", sa.Integer(), nullable=True),
        sa.Column("returned_at_counter", sa.Integer(), nullable=True),
        sa.Column("returned_online", sa.Integer(), nullable=True),
        sa.Column("left_766", sa.Integer(), nullable=True),
        sa.Column("left_766_on_time", sa.Integer(), nullable=True),
        sa.Column("open_in_time", sa.Integer(), nullable=True),
        sa.Column("open_overdue", sa.Integer(), nullable=True),
        sa.Column("open_no_due", sa.Integer(), nullable=True),
        sa.Column("paused", sa.Integer(), nullable=True),
        sa.Column("awaiting_intake_in_time", sa.Integer(), nullable=True),
        sa.Column("awaiting_intake_overdue", sa.Integer(), nullable=True),
        sa.Column("receipt_unknown", sa.Integer(), nullable=True),
        sa.Column("open_overdue_with_apology", sa.Integer(), nullable=True),
        sa.Column("open_overdue_apology_exempt", sa.Integer(), nullable=True),
        sa.Column("held_766_on_time", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("unit_id", "slice", "reading", "day", name=op.f("pk_fact_year")),
        comment="The same of a year; slice 0 is everything.",
    )
    op.create_index("ix_fact_year_slice_day", "fact_year", ["slice", "day"], unique=False)
    op.create_table(
        "feed_edition",
        sa.Column(
            "unit_id", sa.Integer(), nullable=False, comment="the root whose units it scores"
        ),
        sa.Column("rule_set", sa.Text(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False, comment="of what it says, not of when"),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column(
            "period_id", sa.UUID(), nullable=True, comment="the closed period behind a final one"
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the document, byte for byte"),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "is_final = (period_id IS NOT NULL)", name=op.f("ck_feed_edition_final")
        ),
        sa.PrimaryKeyConstraint(
            "unit_id", "rule_set", "year", "number", name=op.f("pk_feed_edition")
        ),
        comment="Editions of the index feed: one whenever it says something new. Append-only.",
    )
    op.create_table(
        "import_job",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column(
            "unit_id", sa.Integer(), nullable=False, comment="root of its words; 0 is everything"
        ),
        sa.Column("unit_lft", sa.BigInteger(), nullable=False),
        sa.Column(
            "file_hash", sa.LargeBinary(), nullable=False, comment="of the file and its mapping"
        ),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("total_rows", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('running', 'done')", name=op.f("ck_import_job_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_job")),
        sa.UniqueConstraint(
            "source_id",
            "unit_id",
            "file_hash",
            name=op.f("uq_import_job_source_id_unit_id_file_hash"),
        ),
        comment="Files of records that were begun, each read in one way.",
    )
    op.create_table(
        "import_refusal",
        sa.Column("job_id", sa.UUID(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("quarantine_id", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "row", name=op.f("pk_import_refusal")),
        comment="Which row of a file waits in quarantine, and under which number.",
    )
    op.create_table(
        "install",
        sa.Column("sole", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("purpose IN ('demo', 'production')", name=op.f("ck_install_purpose")),
        sa.CheckConstraint("sole", name=op.f("ck_install_single")),
        sa.PrimaryKeyConstraint("sole", name=op.f("pk_install")),
        comment="What this database is for, so that a demo never touches another.",
    )
    op.create_table(
        "job_slot",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="new", nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("fence", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "found", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state IN ('new', 'running', 'done', 'failed')", name=op.f("ck_job_slot_state")
        ),
        sa.PrimaryKeyConstraint("job", "slot", name=op.f("pk_job_slot")),
        comment="One row per job and slot: what is to run, who runs it, what it found.",
    )
    op.create_table(
        "late_cause",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False, comment="the home unit, never changed"),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("source_id", "code", "seq", "unit_id", name=op.f("pk_late_cause")),
        comment="Why a dossier was late, as somebody said; the last word holds. Append-only.",
    )
    op.create_table(
        "locator",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("home_unit_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_locator_version")),
        sa.PrimaryKeyConstraint("source_id", "code", name=op.f("pk_locator")),
        comment="Where a dossier lives: home_unit_id keeps its record, unit_id holds it now.",
    )
    op.create_table(
        "mail",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("subscription_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="of a digest: alerts raised from here …",
        ),
        sa.Column(
            "until", sa.DateTime(timezone=True), nullable=True, comment="… until here, exclusive"
        ),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "tries", sa.SmallInteger(), server_default="0", nullable=False, comment="answered"
        ),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.SmallInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column(
            "found", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('confirmation', 'digest')", name=op.f("ck_mail_kind")),
        sa.CheckConstraint(
            "state IN ('pending', 'sent', 'empty', 'superseded', 'dead')",
            name=op.f("ck_mail_state"),
        ),
        sa.CheckConstraint("since <= until", name=op.f("ck_mail_span")),
        sa.PrimaryKeyConstraint("unit_id", "id", name=op.f("pk_mail")),
        sa.UniqueConstraint(
            "unit_id",
            "subscription_id",
            "kind",
            "slot",
            name=op.f("uq_mail_unit_id_subscription_id_kind_slot"),
        ),
        comment="Mails that are to go out, went out or were given up: one for a slot.",
    )
    op.create_index(
        "ix_mail_dead",
        "mail",
        ["settled_at"],
        unique=False,
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "ix_mail_pending",
        "mail",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_mail_subscription_id_created_at",
        "mail",
        ["subscription_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "mail_attempt",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("mail_id", sa.UUID(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("unit_id", "mail_id", "attempt", name=op.f("pk_mail_attempt")),
        comment="Every attempt to send a mail, with the answer. Append-only.",
    )
    op.create_table(
        "mapping",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "unit_id", sa.Integer(), nullable=False, comment="the root of the key that told it"
        ),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('unit', 'procedure')", name=op.f("ck_mapping_kind")),
        sa.PrimaryKeyConstraint("kind", "unit_id", "told", "seq", name=op.f("pk_mapping")),
        comment="What a sender's unknown word for a unit or procedure means. Append-only.",
    )
    op.create_table(
        "number",
        sa.Column("sign", sa.Text(), nullable=False, comment="a number, or source/number"),
        sa.Column(
            "holders",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="source:code of dossiers, none while a parent is awaited",
        ),
        sa.PrimaryKeyConstraint("sign", name=op.f("pk_number")),
        comment="Under which numbers dossiers were ever told, to find those that are the same.",
    )
    op.create_table(
        "outbox",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("webhook_id", sa.UUID(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "tries", sa.SmallInteger(), server_default="0", nullable=False, comment="since queued"
        ),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_status", sa.SmallInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "queued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'dead')", name=op.f("ck_outbox_state")
        ),
        sa.PrimaryKeyConstraint("unit_id", "event_id", "webhook_id", name=op.f("pk_outbox")),
        comment="What is still to be told to receivers, written with the change that it tells.",
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["webhook_id", "next_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "period",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "closed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("readings", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "counts",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="names of period_row.counts",
        ),
        sa.Column("definitions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("default_definition", sa.Text(), nullable=False),
        sa.Column(
            "units",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the tree as it stood",
        ),
        sa.Column(
            "gaps",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="sources that had fallen silent, by unit",
        ),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.CheckConstraint("cardinality(readings) > 0", name=op.f("ck_period_readings")),
        sa.CheckConstraint("first <= last", name=op.f("ck_period_span")),
        sa.PrimaryKeyConstraint("unit_id", "id", name=op.f("pk_period")),
        sa.UniqueConstraint("unit_id", "first", "last", name=op.f("uq_period_unit_id_first_last")),
        comment="Periods whose figures were closed, with their digest. Append-only.",
    )
    op.create_index("ix_period_closed_at", "period", ["closed_at", "id"], unique=False)
    op.create_index("ix_period_id", "period", ["id"], unique=False)
    op.create_table(
        "period_row",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("period_id", sa.UUID(), nullable=False),
        sa.Column("reading", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("procedure", sa.Text(), nullable=True),
        sa.Column("is_same_day", sa.Boolean(), nullable=False),
        sa.Column("counts", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint(
            "unit_id", "period_id", "reading", "place", name=op.f("pk_period_row")
        ),
        comment="The counts of a closed period by unit, field and procedure. Append-only.",
    )
    op.create_table(
        "procedure",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("field_name", sa.Text(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("online_level", sa.Text(), nullable=True),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_procedure")),
        sa.UniqueConstraint("code", name=op.f("uq_procedure_code")),
        comment="Procedures (thủ tục hành chính) with their dated limits. Reference table.",
    )
    op.create_table(
        "pull_state",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column(
            "cursor",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="news up to here has been read",
        ),
        sa.Column(
            "reaching",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="the cursor once the pull under way is done",
        ),
        sa.Column("next_page", sa.Integer(), server_default="0", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("next_page >= 0", name=op.f("ck_pull_state_next_page")),
        sa.PrimaryKeyConstraint("source_id", "feed", name=op.f("pk_pull_state")),
        comment="How far each source that we ask has been read, so that a pull goes on.",
    )
    op.create_table(
        "quarantine",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("unit_lft", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Integer(), nullable=True),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("raw", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("faults", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'accepted')", name=op.f("ck_quarantine_state")),
        sa.PrimaryKeyConstraint("unit_id", "id", name=op.f("pk_quarantine")),
        comment="Records that could not be accepted, stripped of persons, with the reasons.",
    )
    op.create_index(
        "ix_quarantine_unit_lft_recorded_at",
        "quarantine",
        ["unit_lft", "recorded_at"],
        unique=False,
    )
    op.create_table(
        "register_entry",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "register IN ('publication', 'petition')", name=op.f("ck_register_entry_register")
        ),
        sa.PrimaryKeyConstraint(
            "unit_id", "register", "code", "seq", name=op.f("pk_register_entry")
        ),
        comment="What units told of publications and petitions, by code. Append-only: the last holds.",
    )
    op.create_table(
        "rule_set_confirmation",
        sa.Column("unit_id", sa.Integer(), nullable=False, comment="for whom; 0 is everybody"),
        sa.Column("rule_set", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint(
            "unit_id", "rule_set", "seq", name=op.f("pk_rule_set_confirmation")
        ),
        comment="Numbers of a rule set that a named person confirmed. Append-only. Reference table.",
    )
    op.create_table(
        "silence",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("last_heard_on", sa.Date(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("rhythm", sa.Integer(), nullable=False),
        sa.Column(
            "raised_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source_id", "last_heard_on", name=op.f("pk_silence")),
        sa.UniqueConstraint("id", name=op.f("uq_silence_id")),
        comment="Sources that fell silent: one row for each silence, resolved when heard again.",
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("code", name=op.f("uq_source_code")),
        comment="Source systems: the one-door software that sends dossiers. Reference table.",
    )
    op.create_table(
        "source_heard",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False, comment="the home unit; 0 is any unit"),
        sa.Column("heard_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "unit_id", "heard_on", name=op.f("pk_source_heard")),
        comment="The local days on which a source told anything of a unit's dossiers.",
    )
    op.create_index(
        "ix_source_heard_unit_id_source_id_heard_on",
        "source_heard",
        ["unit_id", "source_id", sa.literal_column("heard_on DESC")],
        unique=False,
    )
    op.create_table(
        "unit",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("lft", sa.BigInteger(), nullable=False),
        sa.Column("rgt", sa.BigInteger(), nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("legacy_codes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("is_bucket", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "parent_since",
            sa.Date(),
            nullable=True,
            comment="stands below its parent since then; NULL always",
        ),
        sa.Column(
            "heir_id",
            sa.Integer(),
            nullable=True,
            comment="who goes on for it in the end, by the successions in force",
        ),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("code <> '' AND name <> ''", name=op.f("ck_unit_named")),
        sa.CheckConstraint("heir_id <> id", name=op.f("ck_unit_heir")),
        sa.CheckConstraint("lft <= rgt", name=op.f("ck_unit_interval")),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to >= valid_from", name=op.f("ck_unit_validity")
        ),
        sa.ForeignKeyConstraint(["heir_id"], ["unit.id"], name=op.f("fk_unit_heir_id_unit")),
        sa.ForeignKeyConstraint(["parent_id"], ["unit.id"], name=op.f("fk_unit_parent_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
        sa.UniqueConstraint("code", name=op.f("uq_unit_code")),
        sa.UniqueConstraint("lft", name=op.f("uq_unit_lft")),
        comment="Units (đơn vị) as a tree; lft..rgt holds the whole subtree. Reference table.",
    )
    op.create_index(
        "ix_unit_heir_id",
        "unit",
        ["heir_id"],
        unique=False,
        postgresql_where=sa.text("heir_id IS NOT NULL"),
    )
    op.create_index(
        "ix_unit_parent_since",
        "unit",
        ["parent_since"],
        unique=False,
        postgresql_where=sa.text("parent_since IS NOT NULL"),
    )
    op.create_table(
        "alert_setting",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column(
            "spec",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="NULL: as the unit above",
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_alert_setting_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("unit_id", "seq", name=op.f("pk_alert_setting")),
        comment="Stages, levels and digest hours of a unit and those below, every state. Append-only.",
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("ck_api_key_scoped")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_api_key_source_id_source")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_api_key_unit_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
        comment="Keys, hashed; unit_id NULL is the whole installation. Reference table.",
    )
    op.create_table(
        "calendar",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_calendar_unit_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar")),
        sa.UniqueConstraint("unit_id", name=op.f("uq_calendar_unit_id")),
        comment="Working calendars: the state's (vn) and those of units. Reference table.",
    )
    op.create_table(
        "evidence",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("size > 0", name=op.f("ck_evidence_size")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_evidence_unit_id_unit")),
        sa.PrimaryKeyConstraint("unit_id", "hash", name=op.f("pk_evidence")),
        comment="Files that prove what a sheet says, by SHA-256. Append-only.",
    )
    op.create_table(
        "import_lane",
        sa.Column("job_id", sa.UUID(), nullable=False),
        sa.Column(
            "lane", sa.SmallInteger(), nullable=False, comment="rows of some dossiers, from 0"
        ),
        sa.Column("next_row", sa.Integer(), nullable=False, comment="the first row not yet taken"),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("next_row > 0", name=op.f("ck_import_lane_next_row")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["import_job.id"], name=op.f("fk_import_lane_job_id_import_job")
        ),
        sa.PrimaryKeyConstraint("job_id", "lane", name=op.f("pk_import_lane")),
        comment="How far each lane of a file was taken in, so that it goes on where it stopped.",
    )
    op.create_table(
        "late_cause_own",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("group", sa.Text(), nullable=False),
        sa.Column("vi", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("is_retired", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_late_cause_own_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("unit_id", "code", "seq", name=op.f("pk_late_cause_own")),
        comment="Causes of lateness that units added for their subtrees. Append-only.",
    )
    op.create_table(
        "mute",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column(
            "source_id",
            sa.Integer(),
            nullable=True,
            comment="of one dossier; NULL: everything of the unit",
        ),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=True, comment="NULL: every stage"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.CheckConstraint("(source_id IS NULL) = (code IS NULL)", name=op.f("ck_mute_dossier")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_mute_unit_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mute")),
        comment="What is not sent for a while, and why; it hides nothing from any figure.",
    )
    op.create_index("ix_mute_code", "mute", ["code"], unique=False)
    op.create_index("ix_mute_unit_id_created_at", "mute", ["unit_id", "created_at"], unique=False)
    op.create_table(
        "precedence",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=True, comment="NULL: first seen"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("seq > 0", name=op.f("ck_precedence_seq")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_precedence_source_id_source")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_precedence_unit_id_unit")),
        sa.PrimaryKeyConstraint("unit_id", "seq", name=op.f("pk_precedence")),
        comment="Whose dossier counts at a unit and below when two systems send it. Append-only.",
    )
    op.create_table(
        "procedure_revision",
        sa.Column("procedure_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["procedure_id"],
            ["procedure.id"],
            name=op.f("fk_procedure_revision_procedure_id_procedure"),
        ),
        sa.PrimaryKeyConstraint("procedure_id", "seq", name=op.f("pk_procedure_revision")),
        comment="Every state of a procedure that was ever told. Append-only.",
    )
    op.create_table(
        "retirement",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column(
            "from_on", sa.Date(), nullable=True, comment="first day without it; NULL: taken back"
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("seq > 0", name=op.f("ck_retirement_seq")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_retirement_source_id_source")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_retirement_unit_id_unit")),
        sa.PrimaryKeyConstraint("unit_id", "source_id", "seq", name=op.f("pk_retirement")),
        comment="Sources that no longer send for a unit and all below it. Append-only.",
    )
    op.create_table(
        "rule_set_version",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True, comment="NULL is everybody's"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=True),
        sa.Column("last_on", sa.Date(), nullable=True),
        sa.Column(
            "replaces",
            sa.Integer(),
            nullable=True,
            comment="the version that this one puts out of use",
        ),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_rule_set_version_validity")),
        sa.CheckConstraint(
            "version > 0 AND replaces < version", name=op.f("ck_rule_set_version_version")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["unit.id"], name=op.f("fk_rule_set_version_owner_id_unit")
        ),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_rule_set_version")),
        comment="Rule sets of offices, as they were put. Append-only. Reference table.",
    )
    op.create_table(
        "score_entry",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("rule_set", sa.Text(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("round", sa.Text(), nullable=True),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "author", sa.Text(), nullable=True, comment="the person, as the sender names them"
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(kind IN ('opened', 'filled', 'closed')) = (round IS NOT NULL)",
            name=op.f("ck_score_entry_round"),
        ),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_score_entry_period")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_score_entry_unit_id_unit")),
        sa.PrimaryKeyConstraint(
            "unit_id", "rule_set", "first_on", "last_on", "seq", name=op.f("pk_score_entry")
        ),
        comment="What people put on the score sheet of a unit for a period. Append-only.",
    )
    op.create_index(
        "ix_score_entry_rule_set_period",
        "score_entry",
        ["rule_set", "first_on", "last_on"],
        unique=False,
    )
    op.create_table(
        "subscription",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("topics", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=False, comment="sealed to this row"),
        sa.Column("address_digest", sa.LargeBinary(), nullable=False, comment="keyed"),
        sa.Column("address_masked", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "told_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="alerts raised before this have had their digest",
        ),
        sa.Column("last_slot", sa.Text(), nullable=True),
        sa.Column(
            "look_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when to ask whether a digest is due",
        ),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "level IN ('unit', 'head', 'parent', 'province')", name=op.f("ck_subscription_level")
        ),
        sa.CheckConstraint("cardinality(topics) > 0", name=op.f("ck_subscription_topics")),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_subscription_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint(
            "unit_id",
            "level",
            "address_digest",
            name=op.f("uq_subscription_unit_id_level_address_digest"),
        ),
        comment="Who gets digests by mail; addresses are sealed. Reference table.",
    )
    op.create_index("ix_subscription_look_at", "subscription", ["look_at"], unique=False)
    op.create_table(
        "succession",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("successor_ids", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("heir_id", sa.Integer(), nullable=True, comment="takes over what is open"),
        sa.Column("children_to_id", sa.Integer(), nullable=True),
        sa.Column(
            "former_valid_to", sa.Date(), nullable=True, comment="of the unit, for a reversal"
        ),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("reverses", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(kind = 'reversal') = (reverses IS NOT NULL)", name=op.f("ck_succession_reversal")
        ),
        sa.CheckConstraint("document <> ''", name=op.f("ck_succession_document")),
        sa.CheckConstraint(
            "kind IN ('merger', 'split', 'rename', 'abolition', 'reversal')",
            name=op.f("ck_succession_kind"),
        ),
        sa.CheckConstraint(
            "heir_id IS NULL OR heir_id = ANY(successor_ids)", name=op.f("ck_succession_heir")
        ),
        sa.ForeignKeyConstraint(
            ["children_to_id"], ["unit.id"], name=op.f("fk_succession_children_to_id_unit")
        ),
        sa.ForeignKeyConstraint(["heir_id"], ["unit.id"], name=op.f("fk_succession_heir_id_unit")),
        sa.ForeignKeyConstraint(
            ["reverses"], ["succession.id"], name=op.f("fk_succession_reverses_succession")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_succession_unit_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_succession")),
        sa.UniqueConstraint("reverses", name=op.f("uq_succession_reverses")),
        comment="Units that ceased or were divided, and who goes on for them. Append-only.",
    )
    op.create_index("ix_succession_unit_id", "succession", ["unit_id"], unique=False)
    op.create_table(
        "unit_revision",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_unit_revision_unit_id_unit")
        ),
        sa.PrimaryKeyConstraint("unit_id", "seq", name=op.f("pk_unit_revision")),
        comment="Every state of a unit that was ever told. Append-only.",
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failures", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "resume_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="left alone until then after failures in a row",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_webhook_unit_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
        comment="Receivers of signed alerts; secrets are sealed. Reference table.",
    )
    op.create_table(
        "calendar_version",
        sa.Column("calendar_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spec", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendar.id"], name=op.f("fk_calendar_version_calendar_id_calendar")
        ),
        sa.PrimaryKeyConstraint("calendar_id", "version", name=op.f("pk_calendar_version")),
        comment="Every version of a calendar with author and document. Append-only.",
    )
    op.create_table(
        "evidence_piece",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id", "hash"],
            ["evidence.unit_id", "evidence.hash"],
            name=op.f("fk_evidence_piece_unit_id_hash_evidence"),
        ),
        sa.PrimaryKeyConstraint("unit_id", "hash", "seq", name=op.f("pk_evidence_piece")),
        comment="The bytes of evidence, 256 KiB a row. Append-only.",
    )
    op.create_table(
        "idempotency",
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_key.id"], name=op.f("fk_idempotency_key_id_api_key")
        ),
        sa.PrimaryKeyConstraint("key_id", "route", "key", name=op.f("pk_idempotency")),
        comment="Answers of creating requests, replayed for 14 days to the same key and body.",
    )

    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME
                USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )

    op.execute(
        """
        CREATE FUNCTION stamp_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO catalogue_stamp (name, stamp) VALUES (TG_TABLE_NAME, gen_random_uuid())
            ON CONFLICT (name) DO UPDATE SET stamp = EXCLUDED.stamp;
            RETURN NULL;
        END $$
        """
    )
    for table in STAMPED:
        op.execute(
            f"CREATE TRIGGER stamped AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION stamp_catalogue()"
        )


def downgrade() -> None:
    op.drop_table("idempotency")
    op.drop_table("evidence_piece")
    op.drop_table("calendar_version")
    op.drop_table("webhook")
    op.drop_table("unit_revision")
    op.drop_index("ix_succession_unit_id", table_name="succession")
    op.drop_table("succession")
    op.drop_index("ix_subscription_look_at", table_name="subscription")
    op.drop_table("subscription")
    op.drop_index("ix_score_entry_rule_set_period", table_name="score_entry")
    op.drop_table("score_entry")
    op.drop_table("rule_set_version")
    op.drop_table("retirement")
    op.drop_table("procedure_revision")
    op.drop_table("precedence")
    op.drop_index("ix_mute_unit_id_created_at", table_name="mute")
    op.drop_index("ix_mute_code", table_name="mute")
    op.drop_table("mute")
    op.drop_table("late_cause_own")
    op.drop_table("import_lane")
    op.drop_table("evidence")
    op.drop_table("calendar")
    op.drop_table("api_key")
    op.drop_table("alert_setting")
    op.drop_index(
        "ix_unit_parent_since",
        table_name="unit",
        postgresql_where=sa.text("parent_since IS NOT NULL"),
    )
    op.drop_index(
        "ix_unit_heir_id", table_name="unit", postgresql_where=sa.text("heir_id IS NOT NULL")
    )
    op.drop_table("unit")
    op.drop_index("ix_source_heard_unit_id_source_id_heard_on", table_name="source_heard")
    op.drop_table("source_heard")
    op.drop_table("source")
    op.drop_table("silence")
    op.drop_table("rule_set_confirmation")
    op.drop_table("register_entry")
    op.drop_index("ix_quarantine_unit_lft_recorded_at", table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_table("pull_state")
    op.drop_table("procedure")
    op.drop_table("period_row")
    op.drop_index("ix_period_id", table_name="period")
    op.drop_index("ix_period_closed_at", table_name="period")
    op.drop_table("period")
    op.drop_index(
        "ix_outbox_pending", table_name="outbox", postgresql_where=sa.text("state = 'pending'")
    )
    op.drop_table("outbox")
    op.drop_table("number")
    op.drop_table("mapping")
    op.drop_table("mail_attempt")
    op.drop_index("ix_mail_subscription_id_created_at", table_name="mail")
    op.drop_index(
        "ix_mail_pending", table_name="mail", postgresql_where=sa.text("state = 'pending'")
    )
    op.drop_index("ix_mail_dead", table_name="mail", postgresql_where=sa.text("state = 'dead'"))
    op.drop_table("mail")
    op.drop_table("locator")
    op.drop_table("late_cause")
    op.drop_table("job_slot")
    op.drop_table("install")
    op.drop_table("import_refusal")
    op.drop_table("import_job")
    op.drop_table("feed_edition")
    op.drop_index("ix_fact_year_slice_day", table_name="fact_year")
    op.drop_table("fact_year")
    op.drop_table("fact_state")
    op.drop_index("ix_fact_procedure_month_procedure_id_day", table_name="fact_procedure_month")
    op.drop_table("fact_procedure_month")
    op.drop_index("ix_fact_month_slice_day", table_name="fact_month")
    op.drop_table("fact_month")
    op.drop_table("fact_lineage")
    op.drop_table("fact_day")
    op.drop_index("ix_fact_corner_day", table_name="fact_corner")
    op.drop_table("fact_corner")
    op.drop_index("ix_fact_ahead_at", table_name="fact_ahead")
    op.drop_table("fact_ahead")
    op.drop_table("dossier_record")
    op.drop_table("dossier_reading")
    op.drop_table("dossier_past")
    op.drop_table("dossier_change")
    op.drop_index("ix_dossier_unit_lft_received_at", table_name="dossier")
    op.drop_index(
        "ix_dossier_same_as", table_name="dossier", postgresql_where=sa.text("same_as <> '[]'")
    )
    op.drop_index(
        "ix_dossier_parent", table_name="dossier", postgresql_where=sa.text("parent IS NOT NULL")
    )
    op.drop_index(
        "ix_dossier_other_codes",
        table_name="dossier",
        postgresql_using="gin",
        postgresql_where=sa.text("other_codes <> '{}'"),
    )
    op.drop_index(
        "ix_dossier_open_on_time_until", table_name="dossier", postgresql_where=sa.text("is_open")
    )
    op.drop_index(
        "ix_dossier_open_leg_parent",
        table_name="dossier",
        postgresql_where=sa.text("is_leg AND is_open"),
    )
    op.drop_index(
        "ix_dossier_letter_owed",
        table_name="dossier",
        postgresql_where=sa.text(
            "edge_state[cardinality(edge_state)] = 42 AND apology_at IS NULL AND NOT apology_exempt"
        ),
    )
    op.drop_index("ix_dossier_code", table_name="dossier")
    op.drop_index(
        "ix_dossier_apology_exempt",
        table_name="dossier",
        postgresql_where=sa.text("apology_exempt"),
    )
    op.drop_index(
        "ix_dossier_apology_at",
        table_name="dossier",
        postgresql_where=sa.text("apology_at IS NOT NULL"),
    )
    op.drop_table("dossier")
    op.drop_index("ix_delivery_webhook_id_at", table_name="delivery")
    op.drop_table("delivery")
    op.drop_table("catalogue_stamp")
    op.drop_table("audit")
    op.drop_index("ix_alert_unit_lft_raised_at", table_name="alert")
    op.drop_index(
        "ix_alert_run_digest", table_name="alert", postgresql_where=sa.text("is_digest_only")
    )
    op.drop_index("ix_alert_recipient", table_name="alert")
    op.drop_index("ix_alert_id", table_name="alert")
    op.drop_table("alert")
    op.execute("DROP FUNCTION refuse_change()")
    op.execute("DROP FUNCTION stamp_catalogue()")
