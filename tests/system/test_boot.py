"""A guest starts: from a bzImage or an ELF with a PVH entry, on one or several processors."""

import re

import pytest

from support import BZIMAGE, VMLINUX

# The emulator doesn't intercept XSETBV, so KVM reports a wrong size of the XSAVE area: see docs/emulated-server.md.
LOOK_AROUND = "nproc; uname -m; cat /proc/interrupts; dmesg | grep -vi -e 'command line' -e xstate | grep -e WARNING: -e BUG: -e lockup"


@pytest.mark.parametrize("kernel, cpus", [(VMLINUX, 1), (BZIMAGE, 4)], ids=["pvh", "bzimage-4-cpus"])
def test_a_guest_boots_and_powers_off(vms, kernel, cpus):
    vm = vms.tiny("--cpus", cpus, kernel=kernel, run=LOOK_AROUND)
    output = vm.wait_console("tiny: status").strip().split("\n")
    assert output[:2] == [str(cpus), "x86_64"]
    [timer] = [line.split()[1:1 + cpus] for line in output if line.lstrip().startswith("LOC:")]
    assert [int(count) > 0 for count in timer] == [True] * cpus
    assert output[-1] == "tiny: status 1", "the guest's kernel warns"
    assert vm.wait_exit() == 0
    assert vm.messages() == "bhvm vm: the guest has powered off\n"


def test_memory_goes_around_the_hole_below_4_gib(vms):
    vm = vms.tiny(memory="3584M")
    total_kib = int(re.search(r"MemTotal: *(\d+)", vm.run("cat /proc/meminfo").check())[1])
    assert 3300 * 1024 < total_kib < 3584 * 1024
    ram = [line for line in vm.run("cat /proc/iomem").check().splitlines()
           if re.match(r"\S+ : System RAM", line)]
    assert ram[-1].startswith("100000000-"), ram
    # Linux hands out what lies above 4 GiB first.
    vm.run("mkdir /mnt && mount -t tmpfs none /mnt && dd if=/dev/urandom bs=1M count=64 of=/mnt/a && "
           "cp /mnt/a /mnt/b && cmp /mnt/a /mnt/b").check()


@pytest.mark.long
def test_64_processors(vms):
    vm = vms.tiny("--cpus", 64, memory="512M", run="nproc", wait=False)
    output = vm.wait_console("tiny: status 0", timeout=1800)
    assert "\n64\n" in output
    assert vm.wait_exit() == 0


@pytest.mark.parametrize("word, source, controller", [("pci=nomsi", "virtio0", "IO-APIC"),
                                                      ("noapic", "ttyS0", "XT-PIC")])
def test_interrupts_arrive_by_other_ways(vms, server, word, source, controller):
    server.run("truncate -s 1M /disk/irq").check()
    vm = vms.tiny("--disk", "/disk/irq", cmdline=word)
    vm.run("[ -b /dev/vda ] && dd if=/dev/urandom of=/dev/vda bs=64k count=16 conv=fsync").check()
    interrupts = vm.run("cat /proc/interrupts").check()
    [line] = [line.split() for line in interrupts.splitlines() if line.endswith(source)]
    assert int(line[1]) > 0 and line[2] == controller, interrupts
    assert vm.run("md5sum < /dev/vda").check().split()[0] == server.checksum("/disk/irq")


def test_random_numbers(vms):
    vm = vms.tiny()
    assert vm.run("cat /sys/class/misc/hw_random/rng_current").check() == "virtio_rng.0\n"
    one, other = (vm.run("dd if=/dev/hwrng bs=64 count=1 2> /dev/null | md5sum").check() for _ in "ab")
    assert one != other
    assert vm.api("stats")["devices"]["rng"]["bytes"] >= 128
