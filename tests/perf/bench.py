#!/usr/bin/python3
"""Measure bhvm, on Bulkhead and beside its peers on Linux, in the emulated server, counted in instructions.

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
from emulator import Config, Emulator  # noqa: E402

import hosts  # noqa: E402
import report  # noqa: E402
import server_job  # noqa: E402
from monitors import MONITORS, Monitor  # noqa: E402
from server_job import Figures, Job  # noqa: E402

BENCH = REPOSITORY / "build" / "bench"
HOST = REPOSITORY / "build" / "host"
RESULTS = BENCH / "results.json"
PARTS = (BENCH / "launch", BENCH / "steps", BENCH / "tcp-peer", BENCH / "payload.elf", BENCH / "guest.cpio",
         HOST / "vmlinuz", HOST / "vmlinux")

# Without what tools/fix-emulator does, guests hang now and then, under whatever monitor. Then
# nothing more is printed; the same is tried again on a new server.
ATTEMPTS = 3
SILENCE_SECONDS = 150
TIME_LIMIT_SECONDS = 1200


def lay_out(monitor: Monitor, job: Job, tree: Path) -> None:
    """What the server gets on top of its image, in /bench."""
    folder = tree / "bench"
    folder.mkdir()
    for part in PARTS:
        shutil.copy(part, folder)
    path = folder / "job"
    path.write_text(server_job.script(monitor, job), encoding="utf-8")
    path.chmod(0o755)


def has_gone_silent(machine: Emulator, log: Path) -> bool:
    """Waits for the machine's end, or until it has printed nothing for long."""
    size, since = -1, time.monotonic()
    while machine.is_running():
        time.sleep(0.5)
        now = log.stat().st_size if log.exists() else 0
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > SILENCE_SECONDS:
            return True
    return False


def run_server(monitor: Monitor, job: Job, log: Path) -> bool:
    """Leaves in `log` what the server printed. False: it did not come to its end in good order."""
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as tree:
        lay_out(monitor, job, Path(tree))
        overlays = [BENCH / "qemu.cpio"] if monitor.is_qemu else []
        run = "/bench/steps /bench/job" if monitor.host == "bulkhead" else "/bench/job"
        config = Config(os=monitor.host, count=True, memory="3G", overlays=[*overlays, Path(tree)], run=run,
                        serial=f"file:{log}", timeout=TIME_LIMIT_SECONDS)
        with Emulator(config) as machine:
            return not has_gone_silent(machine, log) and machine.wait() == 0


def measure_job(monitor: Monitor, job: Job) -> Figures:
    log = BENCH / f"{monitor.name}-{job.name}.log"
    for attempt in range(1, ATTEMPTS + 1):
        start = time.monotonic()
        is_fine = run_server(monitor, job, log)
        outcome = "done" if is_fine else f"attempt {attempt} failed, see {log}:"
        print(f"          {job.name}: {outcome} in {time.monotonic() - start:.0f} s", flush=True)
        if is_fine:
            break
    return server_job.parse(log.read_text(encoding="utf-8", errors="replace"))


def measure(monitor: Monitor) -> Figures:
    print(f"  BENCH   {monitor.title}: a few minutes", flush=True)
    figures: Figures = {}
    for job in server_job.server_jobs(monitor):
        for name, values in measure_job(monitor, job).items():
            figures.setdefault(name, []).extend(values)
    return figures


def measure_host(host: str) -> Figures:
    print(f"  BENCH   {hosts.HOSTS[host]}, booting", flush=True)
    return hosts.measure(host)


def read_results(kind: str) -> dict[str, Figures]:
    """Of last time, by monitor ("monitors") or by host ("hosts")."""
    if not RESULTS.exists():
        return {}
    return json.loads(RESULTS.read_text(encoding="utf-8")).get(kind, {})


def facts() -> dict[str, str]:
    version = subprocess.run(["qemu-system-x86_64", "--version"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.splitlines()[0]
    return {"host and guest kernel": (HOST / "release").read_text(encoding="utf-8").strip(),
            "peer": version}


def write_results(results: dict[str, Figures], of_hosts: dict[str, Figures]) -> None:
    text = json.dumps({"facts": facts(), "hosts": of_hosts, "monitors": results}, indent=1)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def render(path: Path) -> int:
    if not RESULTS.exists():
        print(f"bench: {RESULTS}: no such file; `make bench` makes it", file=sys.stderr)
        return 2
    path.write_text(report.document(read_results("monitors"), read_results("hosts"), facts()), encoding="utf-8")
    return 0


def parse_arguments() -> argparse.Namespace:
    names = [*hosts.HOSTS, *(monitor.name for monitor in MONITORS)]
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--only", nargs="+", choices=names, metavar="MONITOR",
                   help=f"of {', '.join(names)}; the others' figures are those of last time")
    p.add_argument("--render", type=Path, metavar="FILE", help="measure nothing; write this page")
    return p.parse_args()


def main() -> int:
    arguments = parse_arguments()
    if arguments.render:
        return render(arguments.render)
    results, of_hosts = read_results("monitors"), read_results("hosts")
    for host in hosts.HOSTS:
        if not arguments.only or host in arguments.only:
            of_hosts[host] = measure_host(host)
            write_results(results, of_hosts)
    for monitor in MONITORS:
        if not arguments.only or monitor.name in arguments.only:
            results[monitor.name] = measure(monitor)
            write_results(results, of_hosts)
    print(report.aligned(report.host_rows(of_hosts)) + "\n")
    print(report.aligned(report.bare_rows(results)) + "\n")
    print(report.aligned(report.rows(results)))
    print("\n" + report.NOTE)
    absent = report.missing(results) + report.missing_hosts(of_hosts)
    for what in absent:
        print(f"bench: missing: {what}", file=sys.stderr)
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main())
