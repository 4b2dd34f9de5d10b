"""How often Python looks for cycles of garbage."""

import gc


def collect_rarely() -> None:
    """Look for cycles of garbage less often, and not in what the program is made of.

    Records are folded into thousands of small values that hold no cycle: looking through them
    again and again took a quarter of the time of ingest. The threshold lies above what a batch of
    a thousand records holds at once, so that most batches are over before anybody looks.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
