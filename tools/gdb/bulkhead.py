"""Helpers for looking at a running kernel with gdb, through an emulator's gdb stub: docs/debugging.md.

    gdb build/bulkhead.elf -x tools/gdb/bulkhead.py -ex 'target remote :1234'
    (gdb) help bulkhead
"""

import gdb

DIRECT_MAP_AT = 0xffff800000000000
FRAME_TABLE_AT = 0xffffa00000000000
ADDRESS = 0x000ffffffffff000
PRESENT, HUGE = 1 << 0, 1 << 7
FLAGS = ((1, "writable"), (2, "user"), (5, "accessed"), (6, "dirty"), (7, "huge"), (8, "global"), (63, "no-execute"))
LEVELS = ("page", "2 MiB", "1 GiB", "top")
FRAME_USED = 2
MULTIBOOT2_MAGIC = 0xe85250d6   # the kernel's image begins with it


# --- reading ---


def read_u64(address):
    memory = gdb.selected_inferior().read_memory(address, 8)
    return int.from_bytes(memory.tobytes(), "little")


def number(text):
    """An expression's value; a function's is its address."""
    return int(gdb.parse_and_eval(f"(unsigned long)({text})"))


def sees_kernel():
    try:
        return int(gdb.parse_and_eval("*(unsigned int *)&image_start")) == MULTIBOOT2_MAGIC
    except gdb.MemoryError:
        return False


def enter_kernel():
    """Select a processor that isn't in a guest: from there the kernel's memory can be read."""
    if sees_kernel():
        return
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        if sees_kernel():
            return
    raise gdb.GdbError("every processor is in a guest, where the kernel isn't mapped: `continue`, and interrupt it again, or "
                       "set a breakpoint in the kernel, like `hbreak vm_map_page`")


def static(source, name):
    """A variable that only its source file knows."""
    return gdb.parse_and_eval(f"'{source}'::{name}")


def field_offset(type_name, member):
    for field in gdb.lookup_type(type_name).fields():
        if field.name == member:
            return field.bitpos // 8
    raise gdb.GdbError(f"{type_name} has no {member}: is this script older than the kernel?")


def list_entries(head, type_name, member):
    """The objects on a struct list."""
    pointer = gdb.lookup_type(type_name).pointer()
    offset = field_offset(type_name, member)
    node = head["next"]
    while node != head.address:
        yield gdb.Value(int(node) - offset).cast(pointer)
        node = node["next"]


def symbol_at(address):
    text = gdb.execute(f"info symbol {address:#x}", to_string=True).strip()
    return text.split(" in section")[0] if not text.startswith("No symbol") else ""


def name_of(array):
    return array.string(errors="replace")


def processors():
    for index in range(int(gdb.parse_and_eval("nr_cpus"))):
        yield gdb.parse_and_eval("cpus")[index]


def processes():
    yield from list_entries(static("kernel/proc/process.c", "everyone"), "struct process", "everyone")


def free_objects(cache):
    """Addresses of what a cache has to give."""
    address = int(cache["free"])
    while address:
        yield address
        address = read_u64(address)


def objects_of(cache, type_name):
    """What was taken from a cache of objects, by way of the frame table: each piece of memory knows its cache."""
    inferior = gdb.selected_inferior()
    free = set(free_objects(cache))
    pointer = gdb.lookup_type(type_name).pointer()
    stride = (int(cache["size_bytes"]) + 15) & ~15
    frames = inferior.read_memory(FRAME_TABLE_AT, int(static("kernel/mem/frame.c", "nr_frames")) * 16).tobytes()
    wanted = int(cache.address).to_bytes(8, "little")
    at = frames.find(wanted)
    while at >= 0:
        if at % 16 == 8 and frames[at - 3] == FRAME_USED:
            piece = DIRECT_MAP_AT + at // 16 * 4096
            for address in range(piece, piece + (4096 << frames[at - 4]) - stride + 1, stride):
                if address not in free:
                    yield gdb.Value(address).cast(pointer)
        at = frames.find(wanted, at + 1)


# --- page tables ---


def describe_entry(entry):
    return " ".join(name for bit, name in FLAGS if entry >> bit & 1) or "-"


def walk(top, address):
    """Print the way that four levels of tables lead `address`; the tables' pages are the kernel's, in its direct map."""
    table = top & ADDRESS
    for level in (3, 2, 1, 0):
        index = address >> 12 + 9 * level & 511
        entry = read_u64(DIRECT_MAP_AT + table + 8 * index)
        if not entry & PRESENT:
            print(f"  {LEVELS[level]:5} [{index:3}] {entry:016x} not present")
            return
        print(f"  {LEVELS[level]:5} [{index:3}] {entry:016x} {describe_entry(entry)}")
        if level == 0 or (entry & HUGE and level < 3):
            size = 4096 << 9 * level
            print(f"  {address:#x} -> {(entry & ADDRESS & ~(size - 1)) + address % size:#x}")
            return
        table = entry & ADDRESS


# --- threads ---


def callers(rbp):
    """Return addresses, by frame pointers."""
    while rbp >= DIRECT_MAP_AT and rbp % 8 == 0:
        yield read_u64(rbp + 8)
        above = read_u64(rbp)
        if above <= rbp:
            return
        rbp = above


def registers_of(cpu):
    """RIP and RBP of a processor: gdb's threads are numbered from 1."""
    for thread in gdb.selected_inferior().threads():
        if thread.num == cpu + 1:
            before = gdb.selected_thread()
            thread.switch()
            values = number("$rip"), number("$rbp")
            before.switch()
            return values
    raise gdb.GdbError(f"gdb knows of no CPU {cpu}")


def waiting_frames(thread):
    """Where a thread is that doesn't run: its processor idles on its stack, or thread_switch() has left six registers
    there, RBP the fifth, and the way back."""
    if thread["is_on_cpu"]:
        rip, rbp = registers_of(int(thread["cpu"]))
    else:
        rsp = int(thread["rsp"])
        rip, rbp = read_u64(rsp + 48), read_u64(rsp + 32)
    yield rip
    yield from callers(rbp)


def is_running(thread):
    queue = gdb.parse_and_eval("runqs")[int(thread["cpu"])]
    return queue["current"] == thread


def describe_thread(thread):
    state = "running" if is_running(thread) else ("runnable", "blocked", "dead")[int(thread["state"])]
    process = thread["process"]
    owner = f"process {int(process['pid'])} {name_of(process['name'])}" if process else "kernel"
    return (f"thread {int(thread['tid'])} {name_of(thread['name'])!r} of {owner}: {state}, CPU {int(thread['cpu'])}, "
            f"ran {int(thread['ran_ns']) // 1000} us")


def threads():
    yield from objects_of(static("kernel/sched/thread.c", "thread_cache"), "struct thread")


# --- virtual machines ---


def open_files(process):
    table = process["fds"]
    for number in range(int(table["capacity"])):
        file = table["fds"][number]["file"]
        if file:
            yield file


def machines():
    """Each VM once, with a process that has it open."""
    ops = static("kernel/kvm/vm.c", "vm_ops").address
    seen = set()
    for process in processes():
        for file in open_files(process):
            if file["ops"] == ops and int(file["data"]) not in seen:
                seen.add(int(file["data"]))
                yield file["data"].cast(gdb.lookup_type("struct vm").pointer()), process


def machine_by_number(number):
    for index, (vm, _process) in enumerate(machines()):
        if index == number:
            return vm
    raise gdb.GdbError(f"there is no VM {number}: `bulkhead vms` lists them")


def describe_vcpu(vcpu):
    vmcb = vcpu["virt"].cast(gdb.lookup_type("struct svm_vcpu").pointer())["vmcb"]
    save, control = vmcb["save"], vmcb["control"]
    return (f"vCPU {int(vcpu['id'])}: rip {int(save['rip']):#x} rsp {int(save['rsp']):#x} cr0 {int(save['cr0']):#x} "
            f"cr3 {int(save['cr3']):#x}, last left for {int(control['exit_code']):#x}")


# --- the commands ---


class Bulkhead(gdb.Command):
    """Look at the Bulkhead kernel."""

    def __init__(self):
        super().__init__("bulkhead", gdb.COMMAND_DATA, prefix=True)


class Helper(gdb.Command):
    """Each subclass is a command: its name in `name`, what it does in show(words)."""

    name = ""

    def __init__(self):
        super().__init__(f"bulkhead {self.name}", gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        self.dont_repeat()
        before = gdb.selected_thread()
        enter_kernel()
        try:
            self.show(gdb.string_to_argv(argument))
        finally:
            if before and before.is_valid():
                before.switch()


class Cpus(Helper):
    """bulkhead cpus: each processor, and the thread that it runs."""

    name = "cpus"

    def show(self, _words):
        for cpu in processors():
            queue = cpu["runq"]
            print(f"CPU {int(cpu['id'])} (APIC id {int(cpu['apic_id'])}): {describe_thread(queue['current'])}; "
                  f"{int(queue['nr_queued'])} wait")


class Threads(Helper):
    """bulkhead threads: all of them; where those that don't run wait."""

    name = "threads"

    def show(self, _words):
        for thread in threads():
            print(describe_thread(thread))
            # Behind an idle thread is nothing but its loop, mostly on another's stack.
            if not is_running(thread) and not thread["is_idle"]:
                for address in waiting_frames(thread):
                    print(f"    {address:#x} {symbol_at(address)}")


class Vms(Helper):
    """bulkhead vms: virtual machines, their memory and their vCPUs."""

    name = "vms"

    def show(self, _words):
        for number, (vm, process) in enumerate(machines()):
            print(f"VM {number}: struct vm at {int(vm):#x}, of process {int(process['pid'])} {name_of(process['name'])}, "
                  f"nested tables at {int(vm['npt']['top']) - DIRECT_MAP_AT:#x}")
            slots = vm["slots"]
            for index in range(int(slots["count"]) if slots else 0):
                slot = slots["slots"][index]
                print(f"    memory {int(slot['start']):#x}-{int(slot['end']):#x} at {int(slot['hva']):#x} of the process")
            for index in range(int(vm["vcpus"].type.range()[1]) + 1):
                if vm["vcpus"][index]:
                    print(f"    {describe_vcpu(vm['vcpus'][index])}")


class Walk(Helper):
    """bulkhead walk ADDRESS [TOP]: the page tables' way to an address, from the selected processor's CR3 or from TOP (physical)."""

    name = "walk"

    def show(self, words):
        if not 1 <= len(words) <= 2:
            raise gdb.GdbError("bulkhead walk: expected ADDRESS and perhaps TOP")
        address = number(words[0])
        top = number(words[1] if len(words) > 1 else "$cr3")
        print(f"{address:#x} by the tables at {top & ADDRESS:#x}:")
        walk(top, address)


class Nested(Helper):
    """bulkhead npt ADDRESS [VM]: the nested page tables' way to a guest-physical address of VM 0, or another."""

    name = "npt"

    def show(self, words):
        if not 1 <= len(words) <= 2:
            raise gdb.GdbError("bulkhead npt: expected ADDRESS and perhaps the number of a VM")
        address = number(words[0])
        vm = machine_by_number(int(words[1]) if len(words) > 1 else 0)
        top = int(vm["npt"]["top"]) - DIRECT_MAP_AT
        print(f"guest-physical {address:#x} by the nested tables at {top:#x}:")
        walk(top, address)


class Log(Helper):
    """bulkhead log: what the kernel and the console's programs have said last."""

    name = "log"

    def show(self, _words):
        ring = static("kernel/dev/print.c", "ring")
        position = int(static("kernel/dev/print.c", "ring_position"))
        size = ring.type.sizeof
        memory = gdb.selected_inferior().read_memory(int(ring.address), size).tobytes()
        at = position % size
        text = memory[at:] + memory[:at] if position > size else memory[:at]
        print(text.decode(errors="replace"), end="")


class Trace(Helper):
    """bulkhead trace [CPU]: what a processor, or each, did last; the latest at the end."""

    name = "trace"

    def show(self, words):
        names = {field.enumval: field.name[len("TRACE_"):].lower()
                 for field in gdb.lookup_type("enum trace_event").fields()}
        for cpu in processors():
            if words and int(words[0]) != int(cpu["id"]):
                continue
            print(f"CPU {int(cpu['id'])}:")
            ring = cpu["trace"]
            count = ring["records"].type.range()[1] + 1
            following = int(ring["next"])
            for index in range(max(following - count, 0), following):
                record = ring["records"][index % count]
                a, b = int(record["a"]), int(record["b"])
                print(f"  {int(record['tsc'])} {names.get(int(record['event']), '?'):8} {a:#x} {b:#x} {symbol_at(b)}")


Bulkhead()
for helper in (Cpus, Threads, Vms, Walk, Nested, Log, Trace):
    helper()
