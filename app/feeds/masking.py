"""Personal data kept out: patterns of numbers and addresses masked, names of fields checked.

Field lists decide first what may be kept at all; these patterns are the second wall, for the
identity number that somebody typed into the wrong box.
"""

import re
from typing import Final

MASK: Final = "***"
"""What stands in a kept text in place of a number or an address of a person."""

LOST: Final = "\ufffd"
"""What stands in a stripped record in place of a value that may not be kept.

It is the replacement character, which no reader accepts in a code, a date or a name of a unit: so
a stripped record is never accepted as if the value had been absent.
"""

_PERSONAL = re.compile(
    r"""
      [\w.+-]{1,64} @ [\w-]{1,63} (?: \.[\w-]{1,63} ){1,6}          # an e-mail address
    | (?<!\d) (?: \+? 84 | 0 ) \d{9} (?!\d)                         # a phone number
    | (?<![\d.]) (?: \+?84 [ .-]? | 0 ) \d{2,3} [ .-] \d{3} [ .-] \d{3,4} (?!\d)   # … with gaps
    | (?<!\d) (?: \d{12} | \d{9} ) (?!\d)                           # an identity number
    | (?<![\d.]) \d{3} (?: [ ] \d{3} ){2,3} (?!\d)                  # … with gaps
    """,
    re.VERBOSE,
)

_HINT = re.compile(r"[@\d]")
"""Without one of these no pattern fits."""

SHORTEST_NUMBER: Final = 9
"""No number or address of a person is shorter, so that shorter texts need no look."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,47}")
_LONG_NUMBER = re.compile(r"\d{6}")


def mask(text: str) -> str:
    """Return the text with identity numbers, phone numbers and e-mail addresses masked."""
    return _PERSONAL.sub(MASK, text) if _HINT.search(text) else text


def is_personal(text: str) -> bool:
    """Tell whether the text holds an identity number, a phone number or an e-mail address."""
    return _HINT.search(text) is not None and _PERSONAL.search(text) is not None


def field_name(name: str) -> str | None:
    """Return the name of a field if it can be repeated to its sender, else None.

    A key of JSON may hold anything; only what looks like a name of a field is shown again.
    """
    if _NAME.fullmatch(name) and not _LONG_NUMBER.search(name):
        return name
    return None
