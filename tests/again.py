"""`python -m tests.again [FOLDER]`: once more what failed in the last run of tests, if it is little.

Tests of real time can fail where the machine stood still in between. What is broken fails again.
"""

import json
import sys
from pathlib import Path

import pytest

_FEW = 3
ROOT = Path(__file__).parents[1]


def failed_last_time(root: Path) -> list[str]:
    """The tests that failed, as pytest's cache remembers them."""
    remembered = root / ".pytest_cache" / "v" / "cache" / "lastfailed"
    try:
        return sorted(json.loads(remembered.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []


def main(root: Path) -> int:
    """Run them; returns the exit status."""
    tests = failed_last_time(root)
    # A path without a test in it is a file that could not even be read.
    broken = [test for test in tests if "::" not in test]
    if not tests or broken or len(tests) > _FEW:
        print(f"{len(tests)} tests failed, which is not what trying again is for", file=sys.stderr)
        return 1
    print("once more:", *tests, sep="\n  ")
    return int(pytest.main([f"--rootdir={root}", *(str(root / test) for test in tests)]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
