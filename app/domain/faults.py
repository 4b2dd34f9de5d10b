"""A fault: what is wrong with one place of a record, as a code that the catalogues can say."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that cannot be accepted, and where it stands.

    ``pointer`` is a JSON pointer relative to the record ("" is the record itself), ``code`` is
    permanent and keys a sentence of the catalogues, ``params`` are its placeholders. Nothing of
    the sender's values is in it, so that it can be shown and logged.
    """

    pointer: str
    code: str
    params: Mapping[str, str] = field(default_factory=dict, hash=False)

    def under(self, prefix: str) -> "Fault":
        """Return the same fault as seen from a document that holds the record at ``prefix``."""
        return Fault(prefix + self.pointer, self.code, self.params)
