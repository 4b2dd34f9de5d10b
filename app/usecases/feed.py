"""The index feed of a year: every unit's sub-index, criterion by criterion, from its sheet."""

from dataclasses import replace
from datetime import datetime

from app.domain.rule_set import RuleSet
from app.rulebook.metrics import load_metrics
from app.store.session import ReadSession
from app.store.units import UnitRow
from app.usecases import index, scorecards
from app.usecases.access import Principal
from app.usecases.index import Asked, Assessed, KnowledgeToCome


def feed(
    session: ReadSession,
    identifier: str,
    asked: Asked,
    *,
    root: UnitRow | None,
    who: Principal,
    since: datetime | None = None,
) -> dict[str, object]:
    """Return the index feed of a year as plain JSON values, with its hash.

    ``since`` is the ``known_at`` of an earlier feed; each unit then carries the difference from
    what that feed said.

    :param root: the unit at the top; None is everything that the asker may see.
    :raises KnowledgeToCome: ``since`` is later than ``known_at``.
    :raises UnknownRuleSet: there is none within what the asker may see.
    :raises RuleSetNotInForce: none is in force on the last day of the year.
    :raises PeriodAcrossChange: the set changes within the year.
    :raises PeriodNotAssessed: the set does not assess years.
    """
    rule_set, assessed = scored(session, identifier, asked, root=root, who=who)
    before: dict[str, str | None] = {}
    if since is not None:
        if since > asked.known_at:
            raise KnowledgeToCome(known_at=since)
        earlier = index.ask(asked.year, now=asked.known_at, known_at=since)
        _, then = scored(session, identifier, earlier, root=root, who=who)
        before = {one.unit: one.card.printed for one in then}
    return index.document(rule_set, load_metrics(), asked, assessed, since=since, before=before)


def scored(
    session: ReadSession, identifier: str, asked: Asked, *, root: UnitRow | None, who: Principal
) -> tuple[RuleSet, tuple[Assessed, ...]]:
    """Score every unit of a subtree for the year, with what was put on its sheet.

    :raises UnknownRuleSet: there is none within what the asker may see.
    :raises RuleSetNotInForce: none is in force on the last day of the year.
    :raises PeriodAcrossChange: the set changes within the year.
    :raises PeriodNotAssessed: the set does not assess years.
    """
    question = scorecards.ask(
        session,
        identifier,
        asked.period,
        who=who,
        now=asked.known_at,
        known_at=None if asked.is_present else asked.known_at,
    )
    loaded = scorecards.load(session, replace(question, at=asked.as_of), root=root, who=who)
    return question.rule_set, scorecards.assess(loaded, scorecards.figures_of(loaded))
