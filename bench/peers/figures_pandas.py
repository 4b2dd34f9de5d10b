"""The peer in memory: a pandas frame of the exported rows, asked line by line.

    python figures_pandas.py FILE.csv < questions > answers

It reads the file once, says how long that took and what it holds, and then answers each question,
a line of JSON, with its rows. Codes and words are categories, instants whole microseconds.
"""

import json
import resource
import sys
import time
from itertools import pairwise

import pandas as pd

WORDS = ("unit", "province", "procedure", "channel", "outcome")
INSTANTS = ("received_at", "early_before", "on_time_until", "ended_at")
NEVER = 2**62


def read(path: str) -> pd.DataFrame:
    """Read the exported rows; an instant that is not known never comes."""
    frame = pd.read_csv(path, dtype=dict.fromkeys(WORDS, "category"))
    for name in INSTANTS:
        if frame[name].hasnans:
            frame[name] = frame[name].fillna(NEVER).astype("int64")
    return frame


def columns(frame: pd.DataFrame, begins: int, ends: int) -> pd.DataFrame:
    """Return a column of truths for each count of a period."""
    came = frame.received_at >= begins
    ended, outcome = frame.ended_at, frame.outcome
    finished = (outcome == "finished") & (ended < ends)
    early, in_time = ended < frame.early_before, ended <= frame.on_time_until
    held, overdue = ended >= ends, frame.on_time_until < ends - 1
    return pd.DataFrame(
        {
            "received": came,
            "received_online": came & (frame.channel == "online"),
            "received_in_person": came & (frame.channel == "in_person"),
            "received_by_post": came & (frame.channel == "post"),
            "received_unknown_channel": came & (frame.channel == "unknown"),
            "finished_early": finished & early,
            "finished_on_time": finished & ~early & in_time,
            "finished_late": finished & ~in_time,
            "withdrawn": (outcome == "withdrawn") & (ended < ends),
            "carried_over": ~came,
            "in_hand": held & ~overdue,
            "open_overdue": held & overdue,
        }
    )


def answer(frame: pd.DataFrame, asked: dict[str, object]) -> list[dict[str, object]]:
    """Answer a question."""
    for name in ("unit", "province"):
        if asked[name]:
            frame = frame[frame[name] == asked[name]]
    cuts, rows = asked["cuts"], []
    for begins, ends in pairwise(cuts):
        part = frame[(frame.received_at < ends) & (frame.ended_at >= begins)]
        found = columns(part, begins, ends)
        if asked["by_unit"]:
            sums = found.groupby(part.unit, observed=True).sum()
            rows += sums.reset_index().to_dict("records")
        else:
            rows.append({name: int(value) for name, value in found.sum().items()})
    return rows


def main() -> None:
    """Read, then answer until nobody asks."""
    begun = time.perf_counter()
    frame = read(sys.argv[1])
    told = {
        "versions": f"pandas {pd.__version__}",
        "seconds": time.perf_counter() - begun,
        "rows": len(frame),
        "megabytes": int(frame.memory_usage(deep=True).sum()) / 1e6,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }
    print(json.dumps(told), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(frame, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
