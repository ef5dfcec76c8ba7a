"""A guest starts: from a bzImage or an ELF with a PVH entry, on one or several processors."""

import re

import pytest

from support import BZIMAGE, VMLINUX

LOOK_AROUND = "nproc; uname -m; cat /proc/interrupts; dmesg | grep -i -e warn -e bug: -e lockup"


@pytest.mark.parametrize("kernel, cpus", [(VMLINUX, 1), (BZIMAGE, 4)], ids=["pvh", "bzimage-4-cpus"])
def test_a_guest_boots_and_powers_off(vms, kernel, cpus):
    vm = vms.tiny("--cpus", cpus, kernel=kernel, run=LOOK_AROUND)
    output = vm.wait_console("tiny: status")
    assert output.split()[:2] == [str(cpus), "x86_64"]
    assert "tiny: status 1" in output, "the guest's kernel warns"
    timer = re.search(r"^ *LOC: *((\d+ +)+)", output, re.MULTILINE)
    assert [int(count) > 0 for count in timer[1].split()] == [True] * cpus
    assert vm.wait_exit() == 0
    assert vm.messages() == "bhvm vm: the guest has powered off\n"


def test_memory_goes_around_the_hole_below_4_gib(vms):
    vm = vms.tiny(memory="3584M")
    total_kib = int(re.search(r"MemTotal: *(\d+)", vm.run("cat /proc/meminfo").check())[1])
    assert 3300 * 1024 < total_kib < 3584 * 1024
    ram = [line for line in vm.run("cat /proc/iomem").check().splitlines()
           if re.match(r"\S+ : System RAM", line)]
    assert ram[-1].startswith("100000000-"), ram
    # What lies above 4 GiB is there, and is no mirror of what lies below.
    assert vm.run("mount -t tmpfs -o size=300M none /mnt && "
                  "dd if=/dev/zero bs=1M count=280 of=/mnt/zeros && rm /mnt/zeros").status == 0


@pytest.mark.long
def test_64_processors(vms):
    vm = vms.tiny("--cpus", 64, memory="512M", run="nproc; cat /proc/interrupts", wait=False)
    output = vm.wait_console("tiny: status 0", timeout=900)
    assert "\n64\r\n" in output
    assert vm.wait_exit() == 0


@pytest.mark.parametrize("word", ["pci=nomsi", "noapic", "nolapic"])
def test_a_guest_without_msi_or_apic(vms, server, word):
    server.run("truncate -s 1M /run/disk").check()
    vm = vms.tiny("--disk", "/run/disk", cmdline=word)
    assert vm.run("dd if=/dev/urandom of=/dev/vda bs=64k count=16 && sync && md5sum /dev/vda").status == 0
    interrupts = vm.run("cat /proc/interrupts").check()
    assert "virtio" in interrupts and "PCI-MSI" not in interrupts
    if word != "pci=nomsi":
        assert "IO-APIC" not in interrupts and "XT-PIC" in interrupts
    vm.send("poweroff -f\n")
    assert vm.wait_exit() == 0
