"""What the emulated servers do for one monitor: shell scripts (on Bulkhead, lines for server/steps.c), and what they print read back.

Every job gets a server of its own, so that one that fails takes no other's figures with it. Its
script starts virtual machines one after the other with `launch`, each under a heading:

    == SUFFIX             goes to the end of the figures' names; - for nothing, skip to drop them, memory to drop all but that one
    figure NAME VALUE
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from dataclasses import dataclass
from typing import Iterable, Optional

from monitors import GUEST_MIB, Guest, Monitor

Figures = dict[str, list[float]]

# Without chance in where things lie, the guest's memory figures repeat.
CMDLINE = "console=ttyS0 quiet panic=-1 nokaslr norandmaps"
DISK_MIB = 128
MAC_OF_PEER = "52:54:00:00:00:02"
PAYLOAD = Guest("/bench/payload.elf")
FULL = Guest("/bench/payload.elf", cmdline="touch-all")
PACKED = Guest("/bench/vmlinuz", "/bench/guest.cpio", CMDLINE)
UNPACKED = Guest("/bench/vmlinux", "/bench/guest.cpio", CMDLINE)
DISK = "/tmp/disk.img"

PREPARE = f"""\
#!/bin/sh
# Everything on the server is from its memory: what reads a disk doesn't repeat.
dd if=/dev/zero of={DISK} bs=1M count={DISK_MIB} 2> /dev/null
modprobe vhost_net
tunctl -t tap0 > /dev/null
"""
# The tap isn't on a bridge: nothing but the two ends is in the way.
TO_HOST = """\
ip address add 10.1.0.1/24 dev tap0
ip link set tap0 up
/bench/tcp-peer &
"""
# Two taps on the bridge that the image has, between two guests.
TO_GUEST = """\
tunctl -t tap1 > /dev/null
ip link set tap0 master br0 up
ip link set tap1 master br0 up
"""


def jobs(*names: str, vhost: bool = False) -> Guest:
    """A Linux guest that measures these."""
    cmdline = f"{CMDLINE} bench={','.join(names)}"
    return Guest("/bench/vmlinuz", "/bench/guest.cpio", cmdline,
                 disk=DISK if "blk" in names else None,
                 tap="tap0" if "tcp" in names else None, vhost=vhost)


@dataclass(frozen=True)
class Job:
    """What one server does between its boot and its end: virtual machines, as (heading, guest)."""

    name: str
    runs: tuple[tuple[str, Guest], ...]
    peer: Optional[Guest] = None    # runs beside them


def peer() -> Guest:
    return dataclasses.replace(jobs("peer"), tap="tap1", mac=MAC_OF_PEER)


def server_jobs(monitor: Monitor) -> Iterable[Job]:
    is_bare = monitor.host == "bulkhead"
    # Bulkhead tells what the kernel has given out in all; so the guest's part of it has to be known.
    memory = (("memory", FULL),) if is_bare else ()
    yield Job("start", (("-", PAYLOAD), ("-", PAYLOAD), *memory, ("-", PACKED), ("-", PACKED),
                        ("-elf", UNPACKED)))
    yield Job("process", (("-", jobs("touch", "exec")),))
    yield Job("disk", (("-", jobs("blk")),))
    if not is_bare:    # which has no TCP of its own
        yield Job("network", (("-", jobs("tcp")),))
    yield Job("pair", ((".pair", jobs("tcp")),), peer=peer())
    if monitor.is_qemu:
        yield Job("vhost", ((".vhost", jobs("tcp", vhost=True)),))


def runs_of(job: Job) -> Iterable[tuple[str, Guest]]:
    """The first virtual machine after a boot pays for what the host sets up once."""
    return (("skip", PAYLOAD), *job.runs)


def shell_script(monitor: Monitor, job: Job) -> str:
    lines = [PREPARE, TO_GUEST if job.peer else TO_HOST]
    if job.peer:
        lines.append(shlex.join(monitor.command(job.peer)) + " < /dev/null > /dev/null &")
    for heading, guest in runs_of(job):
        lines.append(f"echo '== {heading}'")
        command = shlex.join(monitor.command(guest))
        lines.append(f"/bench/launch --memory {GUEST_MIB} {command} || failed=1")
    return "\n".join([*lines, "exit $failed", ""])


def steps(monitor: Monitor, job: Job) -> str:
    lines = [("file", DISK, str(DISK_MIB))]
    if job.peer:
        lines.append(("start", *monitor.command(job.peer)))
    for heading, guest in runs_of(job):
        lines.append(("heading", heading))
        lines.append(("run", "/bench/launch", "--memory", str(GUEST_MIB), *monitor.command(guest)))
    return "".join("\t".join(words) + "\n" for words in lines)


def script(monitor: Monitor, job: Job) -> str:
    return steps(monitor, job) if monitor.host == "bulkhead" else shell_script(monitor, job)


def parse(text: str) -> Figures:
    figures: Figures = {}
    suffix = "skip"
    for line in text.splitlines():
        if match := re.match(r"== (\S+)", line):
            suffix = match[1]
        elif (match := re.match(r"figure (\S+) ([0-9.]+)\s*$", line)) and suffix != "skip":
            if suffix == "memory" and match[1] != "memory":
                continue
            name = match[1] + ("" if suffix in ("-", "memory") else suffix)
            figures.setdefault(name, []).append(float(match[2]))
    return figures
