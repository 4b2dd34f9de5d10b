"""What is generated from the code says what the code says."""

from app.cli import reference


def test_the_reference_pages_match_the_code() -> None:
    stale = [
        path.name
        for path, page in reference.pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != page
    ]

    assert stale == [], "run: python3 run.py reference"
