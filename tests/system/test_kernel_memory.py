"""What the kernel promises of memory, looked up in the page tables of a machine that was stopped while it worked.

No frame of a process's or a guest's memory is mapped in the kernel's half; nothing there can be both written and executed; each
processor has the protections on. The proof uses no knowledge of the kernel's but where its two roots are: the tables that the
processors use, and a pattern that a program has written into its memory.
"""

import re
import struct

import pytest

from kernel_support import Kernel
from page_tables import PAGE, UPPER_HALF, mappings

CPUS = 2
MEMORY_BYTES = 192 << 20
SECRET = struct.pack("<Q", 0x5ec2e75ec2e75ec2)
SECRET_PAGES = (64 << 20) // PAGE
GUEST_PAGES = (4 << 20) // PAGE
WINDOWS = range(0xffffb80000000000, 0xffffb88000000000)
PROTECTION = {1: (False, False), 3: (True, False), 5: (False, True), 7: (True, True)}   # PROT_*: may write, execute

CR0_WP, CR4_SMEP, CR4_SMAP, EFER_NXE = 1 << 16, 1 << 20, 1 << 21, 1 << 11


class Snapshot:
    """A machine at a moment."""

    def __init__(self, machine):
        machine.qmp("stop")
        self.registers = [dict(re.findall(r"\b(CR0|CR3|CR4|EFER|CPL) ?= ?([0-9a-f]+)", text))
                          for text in machine.monitor("info registers -a").split("CPU#")[1:]]
        self.memory = machine.memory(0, MEMORY_BYTES)
        self.output = machine.output()
        machine.qmp("cont")

    def register(self, name):
        return [int(cpu[name], 16) for cpu in self.registers]

    def secret_frames(self):
        return {at for at in range(0, len(self.memory), PAGE) if self.memory[at:at + 8] == SECRET}


def frames_of(mapping):
    return range(mapping.physical, mapping.physical + mapping.size, PAGE)


def check_secrets(snapshot, top, secrets):
    """No frame with the pattern, and none that ring 3 has of its own, in the kernel's half."""
    all_mappings = list(mappings(snapshot.memory, top))
    kernels = [mapping for mapping in all_mappings if mapping.is_kernels]
    # A vCPU's run structure is the kernel's own memory, shared with ring 3 on purpose.
    run = re.search(r"RUN (0x[0-9a-f]+) (\d+)", snapshot.output)
    shared = range(int(run[1], 16), int(run[1], 16) + int(run[2])) if run else range(0)
    users = {frame for mapping in all_mappings if not mapping.is_kernels and mapping.start not in shared
             for frame in frames_of(mapping)}
    assert secrets <= users, "the pattern lies in frames that aren't the program's"
    for mapping in kernels:
        seen = users.intersection(frames_of(mapping))
        assert not seen, f"a program's frame {min(seen):#x} is mapped in the kernel's half: {mapping}"
    return kernels


def open_windows(kernels):
    """Those that a look at memory that isn't the kernel's goes through; each is open for a page at a time."""
    return [str(mapping) for mapping in kernels if mapping.start in WINDOWS]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel")
    with Kernel(folder, f"stay {CPUS}", cpus=CPUS, memory=f"{MEMORY_BYTES >> 20}M") as running:
        running.wait_for("READY")
        yield running


@pytest.fixture(scope="module")
def snapshot(machine):
    """With all processors in the program."""
    for _attempt in range(20):
        taken = Snapshot(machine)
        if taken.register("CPL") == [3] * CPUS:
            return taken
    raise AssertionError("the program's threads never run at the same time on all processors")


@pytest.fixture(scope="module")
def top(snapshot):
    """The program's page tables, which all processors use."""
    assert len(set(snapshot.register("CR3"))) == 1
    return snapshot.register("CR3")[0]


def test_no_memory_of_a_process_is_mapped_in_the_kernel(snapshot, top):
    secrets = snapshot.secret_frames()
    assert len(secrets) >= SECRET_PAGES + GUEST_PAGES
    kernels = check_secrets(snapshot, top, secrets)
    assert not open_windows(kernels)
    assert any(mapping.is_executable for mapping in kernels), "the walk hasn't found the kernel itself"


def test_the_check_finds_a_frame_that_is_mapped(snapshot, top):
    """The same, with an entry added to the tables: a check that can't fail proves nothing."""
    leaf = next(mapping for mapping in mappings(snapshot.memory, top) if mapping.is_kernels and mapping.size == PAGE)
    table = bytearray(snapshot.memory)
    # The first page table entry of the kernel's that leads to that frame is made to lead to a secret one.
    secret = min(snapshot.secret_frames())
    at = top
    for level in (3, 2, 1, 0):
        slot = (at & 0xffffffffff000) + 8 * (leaf.start >> 12 + 9 * level & 511)
        at, = struct.unpack_from("<Q", table, slot)
    struct.pack_into("<Q", table, slot, at & ~0xffffffffff000 | secret)
    broken = object.__new__(Snapshot)
    broken.memory, broken.output = bytes(table), snapshot.output
    with pytest.raises(AssertionError, match=r"is mapped in the kernel's half"):
        check_secrets(broken, top, snapshot.secret_frames())


def test_nothing_of_the_kernel_can_be_written_and_executed(snapshot, top):
    kernels = [mapping for mapping in mappings(snapshot.memory, top) if mapping.is_kernels]
    assert not [str(mapping) for mapping in kernels if mapping.is_writable and mapping.is_executable]
    code = {frame for mapping in kernels if mapping.is_executable for frame in frames_of(mapping)}
    for mapping in kernels:
        assert not (mapping.is_writable and code.intersection(frames_of(mapping))), f"code can be written by {mapping}"


def test_the_halves_are_apart(snapshot, top):
    for mapping in mappings(snapshot.memory, top):
        assert mapping.is_user == (mapping.start < UPPER_HALF), f"{mapping}"


def test_a_program_has_the_rights_that_it_asked_for(snapshot, top):
    pages = re.findall(r"PAGE (0x[0-9a-f]+) (\d)", snapshot.output)
    assert len(pages) == len(PROTECTION)
    for address, protection in pages:
        mapping, = (mapping for mapping in mappings(snapshot.memory, top) if mapping.covers(int(address, 16)))
        assert (mapping.is_writable, mapping.is_executable) == PROTECTION[int(protection)], f"{mapping}"


def test_every_processor_has_the_protections_on(snapshot):
    for cr0, cr4, efer in zip(*(snapshot.register(name) for name in ("CR0", "CR4", "EFER"))):
        assert cr0 & CR0_WP and cr4 & CR4_SMEP and cr4 & CR4_SMAP and efer & EFER_NXE


def test_no_memory_of_a_guest_is_mapped_in_the_kernel(machine, snapshot, top):
    """The last one: it starts the guest."""
    machine.send("guest")
    machine.wait_for("GUEST")
    for _attempt in range(20):
        taken = Snapshot(machine)
        secrets = taken.secret_frames()
        # One page of the guest's has code in it instead.
        assert len(secrets) >= SECRET_PAGES + GUEST_PAGES - 1
        # A processor with nothing to do may be zeroing a page that is nobody's.
        opened = open_windows(check_secrets(taken, top, secrets))
        if not opened and any(cr3 not in snapshot.register("CR3") and not cr0 & 1 << 31
                              for cr3, cr0 in zip(taken.register("CR3"), taken.register("CR0"))):
            return   # one of the processors was in the guest, whose paging is off
    raise AssertionError(f"the guest never runs with all windows closed; at last open: {opened}")
