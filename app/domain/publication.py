"""Whether a unit makes the procedures that it handles public (công khai), in which form and when.

A procedure is public in full when it hangs at the office and stands online. What is asked of a
unit is told by day: from when a procedure applies there, and by which day a new or changed text
had to be public.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar

from app.domain.errors import Invalid


class PublicationState(StrEnum):
    """How public a procedure is at a unit on a day."""

    NOT_APPLICABLE = "not_applicable"
    MISSING = "missing"
    AT_OFFICE_ONLY = "at_office_only"
    ONLINE_ONLY = "online_only"
    FULL = "full"


@dataclass(eq=False, kw_only=True)
class PublicationReversed(Invalid):
    """A procedure ceases to apply before it begins to."""

    code: ClassVar[str] = "publication.reversed"


@dataclass(frozen=True, slots=True)
class Publication:
    """One procedure at one unit: since when it applies, and since when it is public in each form.

    ``due_on`` is the last day by which the text now in force had to be public; ``is_complete``
    tells whether all parts that must be shown are shown, None when nobody has looked.

    :raises PublicationReversed: it ends before it begins.
    """

    applies_from: date
    applies_until: date | None = None
    due_on: date | None = None
    at_office_on: date | None = None
    online_on: date | None = None
    is_complete: bool | None = None

    def __post_init__(self) -> None:
        """Refuse a validity that ends before it begins."""
        if self.applies_until is not None and self.applies_until < self.applies_from:
            raise PublicationReversed

    def applies(self, day: date) -> bool:
        """Tell whether the unit handles the procedure on a day."""
        until = self.applies_until
        return self.applies_from <= day and (until is None or day <= until)

    @property
    def public_on(self) -> date | None:
        """Return the day from which it is public in both forms."""
        if self.at_office_on is None or self.online_on is None:
            return None
        return max(self.at_office_on, self.online_on)


def state(publication: Publication, *, on: date) -> PublicationState:
    """Return how public a procedure is at the end of a day."""
    if not publication.applies(on):
        return PublicationState.NOT_APPLICABLE
    at_office = publication.at_office_on is not None and publication.at_office_on <= on
    online = publication.online_on is not None and publication.online_on <= on
    match at_office, online:
        case True, True:
            return PublicationState.FULL
        case True, False:
            return PublicationState.AT_OFFICE_ONLY
        case False, True:
            return PublicationState.ONLINE_ONLY
        case _:
            return PublicationState.MISSING


class PublicationCount(StrEnum):
    """What a period counts of the procedures of a unit; all but the last pair at its end."""

    APPLICABLE = "procedures_applicable"
    POSTED = "procedures_posted"
    """Public in both forms, as Circular 01/2018/TT-VPCP, Article 13, indicator 6 asks."""
    NOT_POSTED = "procedures_not_posted"
    """Applicable and not public in both forms."""
    AT_OFFICE = "procedures_posted_at_office"
    ONLINE = "procedures_posted_online"
    COMPLETE = "procedures_posted_complete"
    DUE = "publications_due"
    """Texts whose last day lies in the period."""
    ON_TIME = "publications_on_time"
    """Of those, the ones that were public in both forms by that day."""


def counts(
    publications: Iterable[Publication], *, first: date, last: date
) -> dict[PublicationCount, int]:
    """Count the procedures of a unit at the end of ``last``, and what fell due from ``first``."""
    found = dict.fromkeys(PublicationCount, 0)
    for publication in publications:
        for name in _counted(publication, first, last):
            found[name] += 1
    return found


_HANGS = frozenset({PublicationState.FULL, PublicationState.AT_OFFICE_ONLY})
_ONLINE = frozenset({PublicationState.FULL, PublicationState.ONLINE_ONLY})


def _counted(publication: Publication, first: date, last: date) -> Iterable[PublicationCount]:
    due_on, public_on = publication.due_on, publication.public_on
    if due_on is not None and first <= due_on <= last and publication.applies(due_on):
        yield PublicationCount.DUE
        if public_on is not None and public_on <= due_on:
            yield PublicationCount.ON_TIME
    standing = state(publication, on=last)
    if standing is PublicationState.NOT_APPLICABLE:
        return
    yield PublicationCount.APPLICABLE
    if standing in _HANGS:
        yield PublicationCount.AT_OFFICE
    if standing in _ONLINE:
        yield PublicationCount.ONLINE
    if standing is PublicationState.FULL:
        yield PublicationCount.POSTED
        if publication.is_complete:
            yield PublicationCount.COMPLETE
    else:
        yield PublicationCount.NOT_POSTED
