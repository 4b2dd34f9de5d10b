"""The index feed of a year: every unit's sub-index, criterion by criterion, from its sheet."""

from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.rule_set import RuleSet
from app.rulebook.metrics import load_metrics
from app.store.session import ReadSession
from app.store.units import UnitRow
from app.usecases import index, rule_sets, scorecards
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
    found = scored(session, identifier, asked, root=root, who=who)
    before: dict[str, str | None] = {}
    if since is not None:
        if since > asked.known_at:
            raise KnowledgeToCome(known_at=since)
        earlier = index.ask(asked.year, now=asked.known_at, known_at=since)
        then = scored(session, identifier, earlier, root=root, who=who)
        before = {one.unit: one.card.printed for one in then.assessed}
    return index.document(
        found.rule_set,
        load_metrics(),
        asked,
        found.assessed,
        is_confirmed=found.is_confirmed,
        since=since,
        before=before,
    )


@dataclass(frozen=True, slots=True)
class Scored:
    """The units of a year with their sheets, and whether every number was confirmed for them."""

    rule_set: RuleSet
    is_confirmed: bool
    assessed: tuple[Assessed, ...]


def scored(
    session: ReadSession, identifier: str, asked: Asked, *, root: UnitRow | None, who: Principal
) -> Scored:
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
    told = rule_sets.confirmations(session, identifier, known_at=asked.known_at)
    return Scored(
        question.rule_set,
        rule_sets.is_confirmed(question.version, told, who.lft if root is None else root.lft),
        scorecards.assess(loaded, scorecards.figures_of(loaded)),
    )
