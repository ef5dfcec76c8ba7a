#!/usr/bin/python3
"""Measure bhvm beside its peers in the emulated server, counted in instructions.

Exit status 1: something could not be measured. A figure that misses its goal is no error.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "tools"))
from emulator import EXIT_TIMEOUT, Config, Emulator  # noqa: E402

import report  # noqa: E402
import server_job  # noqa: E402
from monitors import MONITORS, Monitor  # noqa: E402
from server_job import Figures  # noqa: E402

BENCH = REPOSITORY / "build" / "bench"
HOST = REPOSITORY / "build" / "host"
RESULTS = BENCH / "results.json"
PARTS = (BENCH / "launch", BENCH / "tcp-peer", BENCH / "payload.elf", BENCH / "guest.cpio",
         HOST / "vmlinuz", HOST / "vmlinux")
TIME_LIMIT_SECONDS = 1200


def lay_out(monitor: Monitor, tree: Path) -> None:
    """What the server gets on top of its image, in /bench."""
    folder = tree / "bench"
    folder.mkdir()
    for part in PARTS:
        shutil.copy(part, folder)
    job = folder / "job"
    job.write_text(server_job.script(monitor), encoding="utf-8")
    job.chmod(0o755)


def run_server(monitor: Monitor) -> str:
    """Everything that the server printed."""
    log = BENCH / f"{monitor.name}.log"
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as tree:
        lay_out(monitor, Path(tree))
        overlays = [BENCH / "qemu.cpio"] if monitor.is_qemu else []
        config = Config(count=True, memory="3G", overlays=[*overlays, Path(tree)], run="/bench/job",
                        serial=f"file:{log}", timeout=TIME_LIMIT_SECONDS)
        with Emulator(config) as machine:
            status = machine.wait()
    if status:
        why = "its time limit passed" if status == EXIT_TIMEOUT else f"exit status {status}"
        print(f"bench: {monitor.title}: {why}; see {log.relative_to(REPOSITORY)}", file=sys.stderr)
    return log.read_text(encoding="utf-8", errors="replace")


def measure(monitor: Monitor) -> Figures:
    print(f"  BENCH   {monitor.title}: a few minutes", flush=True)
    start = time.monotonic()
    figures = server_job.parse(run_server(monitor))
    print(f"          {len(figures)} figures in {time.monotonic() - start:.0f} s", flush=True)
    return figures


def read_results() -> dict[str, Figures]:
    if not RESULTS.exists():
        return {}
    return json.loads(RESULTS.read_text(encoding="utf-8"))["monitors"]


def facts() -> dict[str, str]:
    version = subprocess.run(["qemu-system-x86_64", "--version"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.splitlines()[0]
    return {"host and guest kernel": (HOST / "release").read_text(encoding="utf-8").strip(),
            "peer": version}


def write_results(results: dict[str, Figures]) -> None:
    text = json.dumps({"facts": facts(), "monitors": results}, indent=1)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def render(path: Path) -> int:
    if not RESULTS.exists():
        print(f"bench: {RESULTS}: no such file; `make bench` makes it", file=sys.stderr)
        return 2
    path.write_text(report.document(read_results(), facts()), encoding="utf-8")
    return 0


def parse_arguments() -> argparse.Namespace:
    names = [monitor.name for monitor in MONITORS]
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--only", nargs="+", choices=names, metavar="MONITOR",
                   help=f"of {', '.join(names)}; the others' figures are those of last time")
    p.add_argument("--render", type=Path, metavar="FILE", help="measure nothing; write this page")
    return p.parse_args()


def main() -> int:
    arguments = parse_arguments()
    if arguments.render:
        return render(arguments.render)
    results = read_results()
    for monitor in MONITORS:
        if not arguments.only or monitor.name in arguments.only:
            results[monitor.name] = measure(monitor)
            write_results(results)
    print(report.aligned(report.rows(results)))
    print("\n" + report.NOTE)
    absent = report.missing(results)
    for what in absent:
        print(f"bench: missing: {what}", file=sys.stderr)
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main())
