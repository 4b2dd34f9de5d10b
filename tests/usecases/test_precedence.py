"""Whose dossier counts is said for a unit and below, and restates what two systems sent."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.store import units
from app.store.session import WriteSession
from app.usecases import catalogue, precedence, rebuild
from app.usecases.access import Principal, Scope
from app.usecases.catalogue import UnitSpec
from app.usecases.ingest import Sender
from app.usecases.precedence import PreferredUnknown
from tests.usecases.test_ingest import NOW, settled
from tests.usecases.test_sameness import listed, received, send, sender_of

LATER = NOW + timedelta(days=2)


@pytest.fixture
def senders(session: WriteSession) -> tuple[Sender, Sender]:
    """Give two systems that sent the same dossier, the local one first."""
    local = settled(session, "local")
    ministry = sender_of(session, "ministry", local)
    send(session, local, "H44-1", now=NOW)
    send(session, ministry, "H44-1", now=NOW + timedelta(days=1))
    return local, ministry


def superior(sender: Sender) -> Principal:
    """Return the key of the province."""
    return Principal(
        key_id=1,
        prefix="p",
        name="key",
        source_id=sender.source_id,
        source_code="local",
        unit_id=sender.unit_id,
        unit_code="H44",
        lft=sender.lft,
        rgt=sender.rgt,
        scopes=frozenset(Scope),
    )


def say(session: WriteSession, unit: str, source: str | None, sender: Sender) -> int:
    """Say whose dossier counts and return how many were folded again."""
    row = units.get(session, unit)
    return precedence.put(session, row, source, who=superior(sender), now=LATER)[1]


def counted(session: WriteSession) -> list[int]:
    """Return the sources whose dossiers count."""
    return [source for (source, _), (is_counted, *_) in listed(session).items() if is_counted]


def test_the_source_said_for_a_unit_above_counts(
    session: WriteSession, senders: tuple[Sender, Sender]
) -> None:
    local, ministry = senders

    folded = say(session, "H44", "ministry", local)

    assert (folded, counted(session)) == (2, [ministry.source_id])
    assert received(session) == received(session, known_at=NOW + timedelta(days=1)) == 1
    assert rebuild.compare(session).differ == 0


def test_the_nearest_word_holds_and_null_is_the_first_seen(
    session: WriteSession, senders: tuple[Sender, Sender]
) -> None:
    local, _ = senders
    say(session, "H44", "ministry", local)
    say(session, "B", "ministry", local)

    say(session, "A", None, local)

    assert counted(session) == [local.source_id]
    holding = precedence.get(session, units.get(session, "A"))
    assert holding.holding is not None
    assert (holding.holding.unit, holding.holding.source) == ("A", None)


def test_a_unit_that_moves_comes_under_the_words_of_where_it_goes(
    session: WriteSession, senders: tuple[Sender, Sender]
) -> None:
    local, ministry = senders
    say(session, "B", "ministry", local)
    before = counted(session)

    moved = replace(UnitSpec.of(units.get(session, "A")), parent="B")
    told = catalogue.put_units(session, [moved], actor="test", now=LATER)
    folded = precedence.follow(session, told, now=LATER)

    assert (before, counted(session)) == ([local.source_id], [ministry.source_id])
    assert folded == 2
    assert rebuild.compare(session).differ == 0
    again = catalogue.put_units(session, [moved], actor="test", now=LATER)
    assert precedence.follow(session, again, now=LATER) == 0


def test_the_same_word_again_changes_nothing(
    session: WriteSession, senders: tuple[Sender, Sender]
) -> None:
    say(session, "A", "ministry", senders[0])

    assert say(session, "A", "ministry", senders[0]) == 0
    assert session.scalar(text("SELECT count(*) FROM precedence")) == 1


def test_a_source_that_does_not_send_cannot_count(
    session: WriteSession, senders: tuple[Sender, Sender]
) -> None:
    with pytest.raises(PreferredUnknown):
        say(session, "A", "nobody", senders[0])
