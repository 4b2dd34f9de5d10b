"""The peer in columns: a DuckDB file of the exported rows, asked line by line.

    python figures_duckdb.py FILE.csv FILE.duckdb < questions > answers

It loads the file when it is not there yet, in the order of unit and receipt, says how long that
took, and then answers each question, a statement in a line of JSON, with its rows.
"""

import json
import os
import sys
import time
from pathlib import Path

import duckdb

COLUMNS = {
    "unit": "VARCHAR",
    "province": "VARCHAR",
    "procedure": "VARCHAR",
    "channel": "VARCHAR",
    "received_at": "BIGINT",
    "early_before": "BIGINT",
    "on_time_until": "BIGINT",
    "ended_at": "BIGINT",
    "outcome": "VARCHAR",
}


def main() -> None:
    """Load, then answer until nobody asks."""
    begun, kept = time.perf_counter(), Path(sys.argv[2])
    is_new = not kept.exists()
    line = duckdb.connect(str(kept), config={"threads": os.cpu_count() or 1})
    if is_new:
        line.execute(
            "CREATE TABLE dossier AS SELECT * FROM read_csv(?, header = true, columns = "
            f"{json.dumps(COLUMNS)}) ORDER BY unit, received_at",
            [sys.argv[1]],
        )
        line.execute("CHECKPOINT")
    (rows,) = line.execute("SELECT count(*) FROM dossier").fetchone()
    told = {
        "versions": f"DuckDB {duckdb.__version__}",
        "seconds": time.perf_counter() - begun,
        "rows": rows,
        "megabytes": kept.stat().st_size / 1e6,
    }
    print(json.dumps(told), flush=True)
    for asked in sys.stdin:
        found = line.execute(json.loads(asked)["sql"])
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        print(json.dumps(rows), flush=True)


if __name__ == "__main__":
    main()
