"""How often Python looks for cycles of garbage."""

import gc


def collect_rarely() -> None:
    """Look for cycles of garbage less often, and not in what the program is made of.

    Records are folded into thousands of small values that hold no cycle: looking through them
    again and again took a quarter of the time of ingest.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(25_000, 20, 20)
