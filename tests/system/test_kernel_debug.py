"""A panic tells what is needed to find its cause; gdb and its helpers find their way about a running kernel."""

import re
import subprocess

import pytest

from kernel_support import KERNEL, REPOSITORY, Kernel, build_id, symbols

HELPERS = REPOSITORY / "tools/gdb/bulkhead.py"


class Debugged(Kernel):
    """With a stub that gdb can connect to."""

    def __init__(self, folder, task, extra=(), **options):
        self.stub = folder / "gdb"
        super().__init__(folder, task, extra=["-gdb", f"unix:{self.stub},server=on,wait=off", *extra], **options)

    def gdb(self, *commands):
        """What gdb prints for them; it lets go of the machine at the end."""
        arguments = ["gdb", "-batch", "-nx", str(KERNEL), "-x", str(HELPERS), "-ex", f"target remote {self.stub}"]
        for command in commands:
            arguments += ["-ex", command]
        done = subprocess.run(arguments, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              check=False, cwd=REPOSITORY)
        assert done.returncode == 0, done.stdout
        return done.stdout


# --- panics ---


def check_report(output, reason):
    """Everything that a panic says, whatever its reason."""
    report = output[output.index("PANIC: "):]
    assert reason in report.splitlines()[0]
    assert f"build {build_id()}\n" in report
    for register in ("rip", "rsp", "rflags", "rax", "r15", "cr2", "cr3", "cr4"):
        assert re.search(rf"\b{register} +[0-9a-f]+", report), f"no {register}:\n{report}"
    assert "backtrace:\n" in report
    assert re.search(r"CPU 0, last of all:\n(bulkhead: +\d+ ticks ago: \w+ .*\n)+", report), report
    assert report.rstrip().endswith("The machine has stopped. Reset it, and report the lines above.")
    return report


def test_a_panic_reports_its_place_and_what_came_before(tmp_path):
    """A wild jump in a system call."""
    with Debugged(tmp_path, "call", cpus=2) as machine:
        machine.wait_for("PCI: ")
        machine.gdb("hbreak sys_sched_yield", "continue", "set $rip = 0", "delete")
        assert machine.wait() == 111
        report = check_report(machine.output(), "page fault in the kernel")
    assert "rip 0000000000000000" in report
    assert re.search(r" [0-9a-f]{16} syscall_dispatch\+0x[0-9a-f]+\n.*backtrace:\n"
                     r"bulkhead: +[0-9a-f]{16} syscall_entry\+0x[0-9a-f]+\n", report), report
    assert re.search(r"ago: trap vector 14 at 0x0 .*\n.*ago: call number 24 of", report), report
    assert "CPU 1, last of all:\n" in report


@pytest.mark.parametrize("change, reason", [
    ("$rsp = 0xffffb00000000008", "double fault in the kernel"),   # nothing is mapped there
    ("*(unsigned long *)$rsp = 0x1234567812345678", "general protection fault in the kernel"),   # no address to return to
    ("$rbp = 0xffffb00000000008, $rip = 0", "page fault in the kernel"),   # no frame to go on from
])
def test_a_panic_tells_what_went_wrong(tmp_path, change, reason):
    with Debugged(tmp_path, "call") as machine:
        machine.wait_for("PCI: ")
        machine.gdb("hbreak sys_sched_yield", "continue", f"set {change}", "delete")
        assert machine.wait() == 111
        check_report(machine.output(), reason)


def test_a_panic_is_on_the_screen(tmp_path):
    """The button for this on a server's front raises a non-maskable interrupt."""
    with Kernel(tmp_path, "stay 2", cpus=2, screen=True, exit_port=False) as machine:
        machine.wait_for("READY")
        machine.qmp("inject-nmi")
        machine.wait_for("report the lines above.")
        check_report(machine.output(), "non-maskable interrupt in ")
        machine.wait_for_screen("bulkhead: The machine has stopped. Reset it, and report the lines above.")
        assert "ticks ago" in machine.screen()


# --- a processor whose firmware has locked virtualization away: the emulator has none, so its answer is changed ---


def test_virtualization_that_is_switched_off_is_named(tmp_path):
    with Debugged(tmp_path, "report", extra=["-S"]) as machine:
        code = subprocess.run(["gdb", "-batch", "-nx", str(KERNEL), "-ex", "disassemble svm_init"], text=True,
                              stdout=subprocess.PIPE, check=True).stdout
        behind_rdmsr = re.search(r"rdmsr *\n +(0x[0-9a-f]+)", code)
        assert behind_rdmsr, code
        machine.gdb(f"hbreak *{behind_rdmsr[1]}", "continue", "set $rax = $rax | 0x10", "delete")
        assert machine.wait() == 0
        output = machine.output()
    assert ("warning: no virtual machine can run here: AMD-V (SVM) is switched off; switch it on in the firmware's set-up\n"
            in output)
    assert "DEVICE /dev/kvm: No such device\n" in output


# --- the helpers ---


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A machine with a guest on one processor and nothing to do on the other."""
    with Debugged(tmp_path_factory.mktemp("kernel"), "stay 1", cpus=2) as machine:
        machine.wait_for("READY")
        machine.send("guest")
        machine.wait_for("GUEST")
        yield machine


def test_cpus(stopped):
    output = stopped.gdb("bulkhead cpus")
    lines = re.findall(r"^CPU (\d) \(APIC id \1\): thread \d+ '(.*)' of (.*): running", output, re.M)
    assert {line[0] for line in lines} == {"0", "1"}, output
    assert {line[2] for line in lines} == {"kernel", "process 1 init"}, output


def test_threads(stopped):
    output = stopped.gdb("bulkhead threads")
    assert len(re.findall(r"^thread 0 'idle' of kernel: ", output, re.M)) == 2, output
    waiting = output[output.index("thread 1 'init' of process 1 init: blocked"):]
    frames = re.findall(r"^    0x[0-9a-f]+ (\w+)", waiting.split("\nthread ")[0], re.M)
    assert "thread_block" in frames and "sys_pause" in frames and "syscall_dispatch" in frames, output


def test_vms(stopped):
    output = stopped.gdb("bulkhead vms")
    assert re.search(r"^VM 0: struct vm at 0xffff8\w+, of process 1 init, nested tables at 0x[0-9a-f]+000$", output, re.M)
    assert re.search(r"^    memory 0x0-0x400000 at 0x7f\w+ of the process$", output, re.M), output
    assert re.search(r"^    vCPU 0: rip 0x1000 ", output, re.M), output


def test_walk(stopped):
    address = symbols()["nr_cpus"]
    output = stopped.gdb("bulkhead walk &nr_cpus")
    assert f"{address:#x} -> {address - 0xffffffff80000000:#x}\n" in output, output
    assert re.search(r"2 MiB \[ *\d+\] [0-9a-f]{16} writable .*no-execute", output), output
    code = stopped.gdb("bulkhead walk boot_main")
    assert re.search(r"2 MiB \[ *\d+\] [0-9a-f]{16} (?!writable)(?!.*no-execute)", code), code
    assert "not present" in stopped.gdb("bulkhead walk 0xffffb80000000000")


def test_nested_page_tables(stopped):
    output = stopped.gdb("bulkhead npt 0x1000", "bulkhead npt 0x40000000")
    assert re.search(r"0x1000 -> 0x[0-9a-f]+$", output, re.M), output
    assert output.rstrip().splitlines()[-2].endswith("not present") or "not present" in output
    assert "there is no VM 7" in subprocess_error(stopped, "bulkhead npt 0 7")


def subprocess_error(machine, command):
    """What it prints when it fails, as it must."""
    with pytest.raises(AssertionError) as failure:
        machine.gdb(command)
    return str(failure.value)


def test_log_and_trace(stopped):
    output = stopped.gdb("bulkhead log", "bulkhead trace", "bulkhead trace 1")
    assert "bulkhead: Bulkhead\n" in output and "\nREADY\n" in output
    assert len(re.findall(r"^CPU 1:$", output, re.M)) == 2 and len(re.findall(r"^CPU 0:$", output, re.M)) == 1
    assert re.search(r"^  \d+ (syscall|switch|trap) +0x[0-9a-f]+ 0x[0-9a-f]+", output, re.M), output
