"""What the emulated servers do for one monitor: shell scripts, and what they print read back.

Every job gets a server of its own, so that one that fails takes no other's figures with it. Its
script starts virtual machines one after the other with `launch`, each under a heading:

    == SUFFIX             goes to the end of the figures' names; - for nothing, skip to drop them
    figure NAME VALUE
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Iterable

from monitors import GUEST_MIB, Guest, Monitor

Figures = dict[str, list[float]]

# Without chance in where things lie, the guest's memory figures repeat.
CMDLINE = "console=ttyS0 quiet panic=-1 nokaslr norandmaps"
DISK_MIB = 128
PAYLOAD = Guest("/bench/payload.elf")
PACKED = Guest("/bench/vmlinuz", "/bench/guest.cpio", CMDLINE)
UNPACKED = Guest("/bench/vmlinux", "/bench/guest.cpio", CMDLINE)
DISK = "/tmp/disk.img"

# The tap isn't on a bridge: nothing but the two ends is in the way.
PREPARE = f"""\
#!/bin/sh
# Everything on the server is from its memory: what reads a disk doesn't repeat.
dd if=/dev/zero of={DISK} bs=1M count={DISK_MIB} 2> /dev/null
modprobe vhost_net
tunctl -t tap0 > /dev/null
ip address add 10.1.0.1/24 dev tap0
ip link set tap0 up
/bench/tcp-peer &
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


def server_jobs(monitor: Monitor) -> Iterable[Job]:
    yield Job("start", (("-", PAYLOAD), ("-", PAYLOAD), ("-", PACKED), ("-", PACKED),
                        ("-elf", UNPACKED)))
    yield Job("process", (("-", jobs("touch", "exec")),))
    yield Job("disk", (("-", jobs("blk")),))
    yield Job("network", (("-", jobs("tcp")),))
    if monitor.is_qemu:
        yield Job("vhost", ((".vhost", jobs("tcp", vhost=True)),))


def script(monitor: Monitor, job: Job) -> str:
    lines = [PREPARE]
    # The first virtual machine after a boot pays for what the host sets up once.
    for heading, guest in (("skip", PAYLOAD), *job.runs):
        lines.append(f"echo '== {heading}'")
        command = shlex.join(monitor.command(guest))
        lines.append(f"/bench/launch --memory {GUEST_MIB} {command} || failed=1")
    return "\n".join([*lines, "exit $failed", ""])


def parse(text: str) -> Figures:
    figures: Figures = {}
    suffix = "skip"
    for line in text.splitlines():
        if match := re.match(r"== (\S+)", line):
            suffix = match[1]
        elif (match := re.match(r"figure (\S+) ([0-9.]+)\s*$", line)) and suffix != "skip":
            name = match[1] + ("" if suffix == "-" else suffix)
            figures.setdefault(name, []).append(float(match[2]))
    return figures
