"""What the emulated server does for one monitor: a shell script, and what it prints read back.

The script starts virtual machines one after the other with `launch`, each under a heading:

    == SUFFIX             what the names of the figures below get appended; - for nothing, skip to drop them
    figure NAME VALUE
"""

from __future__ import annotations

import re
import shlex
from typing import Iterable

from monitors import GUEST_MIB, Guest, Monitor

Figures = dict[str, list[float]]

CMDLINE = "console=ttyS0 quiet panic=-1"
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
    """A Linux guest that measures."""
    cmdline = f"{CMDLINE} bench={','.join(names)}"
    return Guest("/bench/vmlinuz", "/bench/guest.cpio", cmdline,
                 disk=DISK if "blk" in names else None,
                 tap="tap0" if "tcp" in names else None, vhost=vhost)


def runs(monitor: Monitor) -> Iterable[tuple[str, Guest]]:
    """(heading, guest); the first virtual machine after a boot is left out."""
    yield "skip", PAYLOAD
    yield "-", PAYLOAD
    yield "-", PAYLOAD
    yield "-", PACKED
    yield "-", PACKED
    yield "-elf", UNPACKED
    yield "-", jobs("touch", "exec")
    yield "-", jobs("blk")
    yield "-", jobs("tcp")
    if monitor.is_qemu:
        yield ".vhost", jobs("tcp", vhost=True)


def script(monitor: Monitor) -> str:
    lines = [PREPARE]
    for heading, guest in runs(monitor):
        lines.append(f"echo '== {heading}'")
        lines.append(f"/bench/launch --memory {GUEST_MIB} {shlex.join(monitor.command(guest))} || failed=1")
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
