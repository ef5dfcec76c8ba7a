"""The monitors that are measured, and how exactly each is started: the one place that knows.

Every monitor gets the same guest: 512 MiB, one virtual CPU, its serial port on standard output, no
graphics, no source of random numbers, no firmware options of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

GUEST_MIB = 512
MAC = "52:54:00:00:00:01"


@dataclass(frozen=True)
class Guest:
    """What a virtual machine is made of: paths on the server."""

    kernel: str
    initrd: Optional[str] = None
    cmdline: str = ""
    disk: Optional[str] = None
    tap: Optional[str] = None
    vhost: bool = False
    mac: str = MAC


@dataclass(frozen=True)
class Monitor:
    name: str
    title: str
    command: Callable[[Guest], list[str]]
    is_qemu: bool = True
    host: str = "linux"    # what the server boots: as tools/machine's --os


def bhvm(guest: Guest) -> list[str]:
    command = ["bhvm", "--no-rng", "--on-reset", "exit", "--memory", f"{GUEST_MIB}M",
               "--kernel", guest.kernel]
    if guest.initrd:
        command += ["--initrd", guest.initrd]
    if guest.cmdline:
        command += ["--cmdline", guest.cmdline]
    if guest.disk:
        command += ["--disk", guest.disk]
    if guest.tap:
        command += ["--net", f"tap={guest.tap},mac={guest.mac}"]
    return command


def bhvm_bare(guest: Guest) -> list[str]:
    """The same program; Bulkhead's search path isn't for programs."""
    return ["/bin/bhvm", *bhvm(guest)[1:]]


def qemu(machine: str, bus: str, guest: Guest) -> list[str]:
    """`bus` is how the machine's virtio devices are named: virtio-blk-pci, virtio-blk-device."""
    command = ["qemu-system-x86_64", "-M", machine, "-accel", "kvm", "-cpu", "host",
               "-m", f"{GUEST_MIB}M", "-nodefaults", "-no-user-config", "-display", "none",
               "-serial", "stdio", "-no-reboot", "-kernel", guest.kernel]
    if guest.initrd:
        command += ["-initrd", guest.initrd]
    if guest.cmdline:
        command += ["-append", guest.cmdline]
    if guest.disk:
        command += ["-drive", f"if=none,id=disk,format=raw,file={guest.disk}",
                    "-device", f"virtio-blk-{bus},drive=disk"]
    if guest.tap:
        vhost = "on" if guest.vhost else "off"
        rom = ",romfile=" if bus == "pci" else ""
        command += ["-netdev",
                    f"tap,id=net,ifname={guest.tap},script=no,downscript=no,vhost={vhost}",
                    "-device", f"virtio-net-{bus},netdev=net,mac={guest.mac}{rom}"]
    return command


MONITORS = (
    Monitor("bare", "bhvm on Bulkhead", bhvm_bare, is_qemu=False, host="bulkhead"),
    Monitor("bhvm", "bhvm", bhvm, is_qemu=False),
    Monitor("microvm", "QEMU microvm", lambda guest: qemu("microvm", "device", guest)),
    Monitor("q35", "QEMU q35", lambda guest: qemu("q35", "pci", guest)),
)
