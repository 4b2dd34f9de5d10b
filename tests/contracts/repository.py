"""What the repository holds, for the tests that check it."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_OURS = {"data", "dist", "htmlcov", "secrets", "__pycache__"}


def tracked() -> list[Path]:
    """List the files of the repository; without git, all but what is made by running it."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        command = [git, "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "ls-files", "-z"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).exists()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not _is_made(path)]


def _is_made(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    hidden = parts[0].startswith(".") and parts[0] not in {".ci", ".pre-commit-config.yaml"}
    return hidden or bool(NOT_OURS.intersection(parts))


def text_of(path: Path) -> str | None:
    """Return the text of a file, None when it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
