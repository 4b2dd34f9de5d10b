"""`python -m app` is the command line."""

import sys

from app.cli import run

if __name__ == "__main__":
    sys.exit(run())
