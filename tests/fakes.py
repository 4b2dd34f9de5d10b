"""Stand-ins for other people's machines."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from app.domain.delivery import Answer, Letter, answered


def accepted(letter: Letter) -> Answer:
    """Answer as a receiver that takes everything."""
    del letter
    return answered(204, milliseconds=1)


@dataclass
class RecordingSender:
    """Keeps every letter and answers as it is told to."""

    reply: Callable[[Letter], Answer] = accepted
    letters: list[Letter] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, letter: Letter) -> Answer:
        """Take a letter."""
        with self._lock:
            self.letters.append(letter)
        return self.reply(letter)

    @property
    def ids(self) -> list[UUID]:
        """Return the ids of the letters in the order of their coming."""
        return [letter.event_id for letter in self.letters]
