"""The hosts that are measured: how long each takes from power-on to its first process.

The first process is the same small program on each; what it stands in is what that host boots with: Bulkhead's boot image, and
the Linux host image of `make host-image`, whose own /init it takes the place of.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from emulator import Config, Emulator

BENCH = Path(__file__).resolve().parent.parent.parent / "build" / "bench"
PROGRAM = "first-process"
HOSTS = {"bulkhead": "Bulkhead", "linux": "Linux"}
WAYS = {"bulkhead": f"init=/bench/{PROGRAM}", "linux": f"rdinit=/bench/{PROGRAM}"}
MEMORY = "2G"
ATTEMPTS = 3
TIME_LIMIT_SECONDS = 300


def measure(host: str) -> dict[str, list[float]]:
    """The figures of ATTEMPTS boots."""
    log = BENCH / f"host-{host}.log"
    figures: dict[str, list[float]] = {}
    for _attempt in range(ATTEMPTS):
        log.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix="bench-") as tree:
            (Path(tree) / "bench").mkdir()
            shutil.copy(BENCH / PROGRAM, Path(tree) / "bench")
            config = Config(os=host, count=True, memory=MEMORY, overlays=[Path(tree)], append=WAYS[host],
                            serial=f"file:{log}", timeout=TIME_LIMIT_SECONDS)
            with Emulator(config) as machine:
                machine.wait()
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        for name, value in re.findall(r"^figure (\S+) ([0-9.]+)\s*$", text, re.M):
            figures.setdefault(name, []).append(float(value))
    return figures
