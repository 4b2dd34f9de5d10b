"""Print how many tests of a JUnit report passed, failed and were skipped."""

import sys
from xml.etree import ElementTree

suites = list(ElementTree.parse(sys.argv[1]).getroot().iter("testsuite"))  # noqa: S314 -- our own


def total(name: str) -> int:
    """Add one attribute over the suites of the report."""
    return sum(int(suite.get(name, "0")) for suite in suites)


bad, skipped = total("failures") + total("errors"), total("skipped")
print(total("tests") - bad - skipped, bad, skipped)
