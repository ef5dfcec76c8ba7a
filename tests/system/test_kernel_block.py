"""The kernel's disks: what a program reads and writes on them, and what is in their images afterwards."""

import random
import shutil
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools"))

import gpt  # noqa: E402
from emulator import Config, Disk, Emulator  # noqa: E402

BUILD = REPOSITORY / "build"
PROBE = BUILD / "system/kernel_block_probe"
KERNEL = BUILD / "bulkhead.elf"

MIB = 1 << 20
BLOCK = 512
DISK_BYTES = 32 * MIB
PARTITION_BYTES = 12 * MIB

# What kernel_block/probe.c writes, as (start, size).
WRITTEN = [(MIB, 3 * MIB + 4096), (5 * MIB, MIB + 1536), (7 * MIB, 3 * 8192), (8 * MIB + 12345, 70001)]


def pattern(start: int, size: int) -> bytes:
    return bytes((at * 7 + (at >> 9) * 13 + 5) & 0xff for at in range(start, start + size))


def fnv(data: bytes) -> int:
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xffffffff
    return value


def expected(before: bytes, base: int = 0) -> bytes:
    """What a device holds after the probe wrote to it, or to its partition at `base`."""
    image = bytearray(before)
    for start, size in WRITTEN:
        image[base + start:base + start + size] = pattern(start, size)
    return bytes(image)


def contents(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def partitioned(size: int, partitions: dict[int, tuple[int, int]]) -> bytearray:
    image = bytearray(contents(size))
    gpt.partition(image, partitions)
    return image


class Probe:
    """One run of the probe on a server with some disks."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.output = ""

    def disk(self, name: str, data: bytes, **options) -> Disk:
        path = self.folder / name
        path.write_bytes(data)
        return Disk(path, **options)

    def run(self, tasks: list[str], disks: list[Disk], **options) -> None:
        overlay = self.folder / "root"
        for place in ("sbin", "etc"):
            (overlay / place).mkdir(parents=True)
        shutil.copy(PROBE, overlay / "sbin/init")
        (overlay / "etc/disks").write_text("".join(task + "\n" for task in tasks))
        log = self.folder / "serial"
        config = Config(os="bulkhead", kernel=KERNEL, overlays=[overlay], disks=disks, memory="512M",
                        serial=f"file:{log}", timeout=240, **options)
        with Emulator(config) as server:
            status = server.wait()
        self.output = log.read_text(encoding="utf-8", errors="replace").replace("\r", "")
        print(self.output)
        assert status == 0
        assert "DONE\n" in self.output and "PANIC" not in self.output
        assert "FAIL" not in self.output


@pytest.fixture
def probe(tmp_path):
    return Probe(tmp_path)


@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("bus, device", [("virtio", "/dev/vda"), ("nvme", "/dev/nvme0n1")])
def test_a_disk_holds_what_was_written(probe, bus, device, cpus):
    before = contents(DISK_BYTES)
    disk = probe.disk("disk.img", before, bus=bus)
    probe.run([f"{device} write"], [disk], cpus=cpus)
    assert f"DEVICE {device} size {DISK_BYTES} block 512 sum {fnv(before):08x}\n" in probe.output
    assert disk.path.read_bytes() == expected(before)


@pytest.mark.parametrize("bus, device", [("virtio", "/dev/vda"), ("nvme", "/dev/nvme0n1")])
def test_partitions_are_devices_of_their_own(probe, bus, device):
    first, blocks = 2048, PARTITION_BYTES // BLOCK
    before = partitioned(DISK_BYTES, {1: (64, 100), 3: (first, blocks)})
    disk = probe.disk("disk.img", before, bus=bus)
    prefix = device + ("p" if device[-1].isdigit() else "")
    probe.run([f"{prefix}1 read", f"{prefix}3 write"], [disk])
    start = first * BLOCK
    assert (f"DEVICE {prefix}1 size {100 * BLOCK} block 512 sum {fnv(before[64 * BLOCK:164 * BLOCK]):08x}\n"
            in probe.output)
    assert f"DEVICE {prefix}3 size {PARTITION_BYTES} block 512 sum" in probe.output
    assert disk.path.read_bytes() == expected(before, start)


def test_the_second_table_stands_in_for_a_broken_one(probe):
    before = partitioned(DISK_BYTES, {2: (2048, 2048)})
    before[520] ^= 0xff
    probe.run(["/dev/vda2 read"], [probe.disk("disk.img", before)])
    assert "vda: the first partition table is broken: the second one is used" in probe.output
    assert f"DEVICE /dev/vda2 size {MIB} " in probe.output


def test_tables_that_cannot_be_right(probe):
    """Of two that overlap the first stands; what reaches behind the end isn't there; without a table there is the disk."""
    odd = partitioned(DISK_BYTES, {1: (2048, 2048), 2: (4000, 100), 3: (65000, 1000), 4: (4096, 64), 5: (1 << 55, 1 << 56)})
    broken = partitioned(DISK_BYTES, {1: (2048, 2048)})
    broken[520] ^= 0xff
    broken[-500] ^= 0xff
    probe.run(["/dev/vda1 read", "/dev/vda2 absent", "/dev/vda3 absent", "/dev/vda4 read", "/dev/vda5 absent",
               "/dev/vdb read", "/dev/vdb1 absent"], [probe.disk("odd.img", odd), probe.disk("broken.img", broken)])
    assert f"DEVICE /dev/vda1 size {MIB} " in probe.output and f"DEVICE /dev/vda4 size {64 * BLOCK} " in probe.output
    assert f"DEVICE /dev/vdb size {DISK_BYTES} " in probe.output
    assert "vdb: its partitions can't be read" in probe.output


def test_blocks_of_4096_bytes(probe):
    before = contents(4 * MIB)
    disk = probe.disk("disk.img", before)
    probe.run(["/dev/nvme0n1 read", "/dev/vda read"], [], extra=[
        "-drive", f"if=none,id=a,format=raw,file={disk.path}",
        "-drive", f"if=none,id=b,format=raw,file={disk.path},readonly=on,file.locking=off",
        "-device", "nvme,drive=a,serial=a,logical_block_size=4096,physical_block_size=4096",
        "-device", "virtio-blk-pci,drive=b,logical_block_size=4096,physical_block_size=4096"])
    for device in ("/dev/nvme0n1", "/dev/vda"):
        assert f"DEVICE {device} size {4 * MIB} block 4096 sum {fnv(before):08x}\n" in probe.output


@pytest.mark.parametrize("device, model", [
    ("/dev/nvme0n1", "nvme,serial=x,mdts=1"),
    ("/dev/vda", "virtio-blk-pci,event_idx=off,indirect_desc=off,queue-size=16"),
    ("/dev/vda", "virtio-blk-pci,write-cache=off,config-wce=off"),
])
def test_a_device_with_little_to_offer(probe, device, model):
    """Small transfers only, few descriptors, no cache to flush."""
    before = contents(DISK_BYTES)
    disk = probe.disk("disk.img", before)
    probe.run([f"{device} write"], [], extra=[
        "-drive", f"if=none,id=little,format=raw,file={disk.path}", "-device", f"{model},drive=little"])
    assert disk.path.read_bytes() == expected(before)


@pytest.mark.long
@pytest.mark.parametrize("device, model", [("/dev/vda", "virtio-blk-pci"), ("/dev/nvme0n1", "nvme,serial=x")])
def test_a_disk_that_does_not_answer_ends_in_an_error(probe, device, model):
    disk = probe.disk("disk.img", contents(4 * MIB))
    probe.run([f"{device} hang"], [], extra=[
        "-drive", f"if=none,id=slow,format=raw,file={disk.path},throttling.bps-total=12",
        "-device", f"{model},drive=slow"])
    assert f"DEVICE {device} was asked\n" in probe.output
    assert "the device is reset" in probe.output
