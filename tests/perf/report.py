"""From figures to tables: for a terminal and for docs/performance.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from hosts import HOSTS
from monitors import MONITORS, Monitor
from server_job import Figures

OURS = "bhvm"           # on Linux's KVM
BARE = "bare"           # on our own kernel
PEERS = [monitor for monitor in MONITORS if monitor.name not in (OURS, BARE)]
ON_LINUX = [monitor for monitor in MONITORS if monitor.name != BARE]
OUR_HOST = "bulkhead"   # the first of HOSTS
MISSING = "missing"

NOTE = """\
Measured in the emulated server with one tick of its clock for each instruction executed, by guest, \
monitor and host kernel together, and one per nanosecond of idleness. So this is the length of the software's \
path, in instructions, not time on silicon: what a world switch, a cache or a TLB miss costs there \
is not in it. MiB/s are at one nanosecond an instruction. "Better" is how many times better our column is \
than that peer's, be it fewer or more that is better."""


@dataclass(frozen=True)
class Measure:
    name: str
    title: str
    unit: str = "instructions"
    goal: Optional[float] = None
    bare_goal: Optional[float] = None     # on Bulkhead
    is_hosted_only: bool = False    # what it takes isn't on Bulkhead
    ours: Optional[str] = None     # bhvm's figure, where it has another name than the peers'

    @property
    def more_is_better(self) -> bool:
        return self.unit == "MiB/s"

    def best(self, values: list[float]) -> Optional[float]:
        if not values:
            return None
        return max(values) if self.more_is_better else min(values)

    def of(self, monitor: str, results: dict[str, Figures]) -> Optional[float]:
        name = self.ours if monitor == OURS and self.ours else self.name
        return self.best(results.get(monitor, {}).get(name, []))

    def is_met(self, value: float, goal: float) -> bool:
        return value >= goal if self.more_is_better else value <= goal

    def goal_of(self, monitor: str) -> Optional[float]:
        return self.bare_goal if monitor == BARE else self.goal

    def is_for(self, monitor: str) -> bool:
        return monitor != BARE or not self.is_hosted_only


HOST_MEASURE = Measure("host-first-process", "power-on to the host's first process (the firmware alone takes 16 M)", goal=40e6)


def read_measures() -> list[Measure]:
    path = Path(__file__).with_name("measures.json")
    return [Measure(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def amount(value: Optional[float], unit: str) -> str:
    """Four digits are what repeats: 1,676 M, 18.78 M, 82.31 k, 3964."""
    if value is None:
        return MISSING
    if unit == "MiB/s":
        return f"{value:.0f}"
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if value >= size:
            scaled = value / (size if letter == "M" else 1e3)
            return f"{scaled:,.0f} {letter}" if scaled >= 1000 else f"{scaled:.4g} {letter}"
    return f"{value:.0f}"


def verdict(measure: Measure, value: Optional[float], goal: Optional[float]) -> str:
    if goal is None:
        return ""
    text = amount(goal, measure.unit)
    if value is None:
        return text
    return f"{text} {'met' if measure.is_met(value, goal) else 'MISSED'}"


def better(measure: Measure, ours: Optional[float], theirs: Optional[float]) -> str:
    if not ours or not theirs:
        return ""
    times = ours / theirs if measure.more_is_better else theirs / ours
    return f"{times:.2f}x"


def row(measure: Measure, monitor: str, peers: list[Monitor], results: dict[str, Figures]) -> list[str]:
    ours = measure.of(monitor, results)
    unit = "" if measure.unit == "instructions" else measure.unit
    cells = [measure.title, unit, amount(ours, measure.unit), verdict(measure, ours, measure.goal_of(monitor))]
    for peer in peers:
        theirs = measure.of(peer.name, results)
        cells += [amount(theirs, measure.unit), better(measure, ours, theirs)]
    return cells


def table(monitor: str, titles: list[str], peers: list[Monitor], results: dict[str, Figures]) -> list[list[str]]:
    """A monitor's figures beside its goals and its peers'; titles: its own, then theirs."""
    head = ["", "unit", titles[0], "goal"]
    for title in titles[1:]:
        head += [title, "better"]
    return [head] + [row(measure, monitor, peers, results) for measure in read_measures() if measure.is_for(monitor)]


def rows(results: dict[str, Figures]) -> list[list[str]]:
    return table(OURS, ["bhvm", *(peer.title for peer in PEERS)], PEERS, results)


def bare_rows(results: dict[str, Figures]) -> list[list[str]]:
    """bhvm on our kernel, beside all monitors on Linux."""
    return table(BARE, ["bhvm on Bulkhead", *(f"{peer.title} on Linux" for peer in ON_LINUX)], ON_LINUX, results)


def host_rows(results: dict[str, Figures]) -> list[list[str]]:
    """Our own system beside the others, from power-on."""
    ours, *others = [HOST_MEASURE.of(host, results) for host in HOSTS]
    table = [["", HOSTS[OUR_HOST], "goal"], [HOST_MEASURE.title, amount(ours, HOST_MEASURE.unit), verdict(HOST_MEASURE, ours, HOST_MEASURE.goal)]]
    for host, theirs in zip(list(HOSTS)[1:], others):
        table[0] += [HOSTS[host], "better"]
        table[1] += [amount(theirs, HOST_MEASURE.unit), better(HOST_MEASURE, ours, theirs)]
    return table


def missing_hosts(results: dict[str, Figures]) -> list[str]:
    return [f"{HOSTS[host]}: {HOST_MEASURE.title}" for host in HOSTS if HOST_MEASURE.of(host, results) is None]


def missing(results: dict[str, Figures]) -> list[str]:
    """What should have been measured and wasn't."""
    return [f"{monitor.title}: {measure.title}"
            for monitor in MONITORS for measure in read_measures()
            if measure.is_for(monitor.name) and measure.of(monitor.name, results) is None]


def aligned(table: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = []
    for cells in table:
        first, *rest = (cell.ljust(width) if index == 0 else cell.rjust(width)
                        for index, (cell, width) in enumerate(zip(cells, widths)))
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)


def markdown(table: list[list[str]]) -> str:
    head, *body = table
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *body])


def document(results: dict[str, Figures], of_hosts: dict[str, Figures], facts: dict[str, str]) -> str:
    peers = "\n".join(f"- {name}: {fact}" for name, fact in facts.items())
    return f"""\
# Performance

{NOTE}

## On Bulkhead's own kernel

{markdown(bare_rows(results))}

The same program, bhvm, as in the second table. Bulkhead has no TCP of its own, so its guests' peer is another guest, \
with the bridge between them; the other columns of those rows are two guests on Linux's bridge. The disk is a file in \
the host's memory. Memory is, on Bulkhead, all that the kernel has given out since before the monitor was started, \
once the guest has touched all of its own, without that: the monitor's pages, page tables, nested page tables and the \
kernel's objects; the program's text isn't in it, which is read where the boot image has it. On Linux it is the \
monitor's resident memory with its text, and without what the kernel keeps for it.

What the goals are missed by, found by counting every instruction by function: every exit has some 100 instructions \
of moving registers between guest, VMCB and kernel. A timer is two accesses to the local APIC, of 420 and of 600 because it concerns a timer of the \
host's; that one's interrupt, which wakes the vCPU; and an entry. A port's exit is some 960 instructions of entry, vector registers, \
system call and its filter, and 290 of bhvm. First touches find memory that the idle processor has zeroed before, which it does for a quarter of the server's at most; \
beyond that each 2 MiB cost 262,144 stores more, which are counted one by one. Fork, exec and wait is a longer job than the one that its goal was set for: on Linux's KVM it takes 850 k instead of 676 k. All but 8 k of it \
are the guest's own: its exits are the 34 CPUIDs that a C library begins with, and 250 k are single bytes of REP STOSB and REP MOVSB, \
with which the guest's kernel clears and copies pages because the processor says that it is good at that (ERMS).

## On Linux's KVM

{markdown(rows(results))}

## From power-on

The host itself, with 2 GiB of memory, one processor and no devices, booted by PVH:

{markdown(host_rows(of_hosts))}

{peers}

`make bench` measures this again and `make bench-doc` writes this page. How each monitor is started is in \
tests/perf/monitors.py, the goals are in tests/perf/measures.json. The guest is the same everywhere: Debian's \
cloud kernel, one initramfs, 512 MiB, one virtual CPU. Single operations are the least of 10,000 \
(of 1,000 for the timer, 2,000 for disk and network), unless their row says average; the first virtual machine after the \
server's boot is left out, and the server has been idle for a second before each start.

What of it isn't bhvm's, found by tracing every instruction: of a port's exit 3,289 instructions are the host kernel's \
(KVM, the system call, its filter). Of a sequentially written MiB 1.05 M are the host kernel's copy, which counts one \
for each byte, 0.2 M its page cache, 0.27 M the guest's, and 0.03 M bhvm's. Of the memory, 148 KiB are a VM's own; the \
rest is the program's text, which all VMs share.
"""
