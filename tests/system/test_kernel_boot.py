"""The ways in which the kernel boots, and what it says when it can't go on."""

import subprocess

import pytest

from emulator import Disk
from kernel_support import BUILD, Kernel, boot_image, iso

# By PVH and on BIOS the screen has letters; on UEFI it has pixels.
FIRMWARES = {"pvh": "PVH", "bios": "Multiboot2", "uefi": "Multiboot2"}


def options_for(firmware, folder, task):
    return {} if firmware == "pvh" else {"firmware": firmware, "iso": iso(folder, task)}


# The firmwares take their time: each once in `make check`, and with other numbers of processors in `make check-long`.
BOOTS = [pytest.param(firmware, cpus, marks=[] if firmware == "pvh" or cpus == 2 else pytest.mark.long)
         for firmware in FIRMWARES for cpus in (1, 2, 4)]


@pytest.mark.parametrize("firmware, cpus", BOOTS)
def test_it_boots(tmp_path, firmware, cpus):
    disks = []
    for bus in ("virtio", "nvme"):
        path = tmp_path / f"{bus}.img"
        path.write_bytes(bytes(1 << 20))
        disks.append(Disk(path, bus=bus))
    with Kernel(tmp_path, "report", cpus=cpus, disks=disks, **options_for(firmware, tmp_path, "report")) as machine:
        assert machine.wait() == 0
        output = machine.output()
    assert f"loader {FIRMWARES[firmware]}" in output
    assert f"ACPI: {cpus} CPUs" in output
    assert cpus == 1 or f"processors: {cpus}\n" in output
    for device in ("vda", "nvme0n1", "kvm"):
        assert f"DEVICE /dev/{device}: there\n" in output
    assert "DONE\n" in output and "warning" not in output


@pytest.mark.parametrize("firmware", FIRMWARES)
def test_the_screen_shows_what_is_said(tmp_path, firmware):
    with Kernel(tmp_path, "stay 1", screen=True, **options_for(firmware, tmp_path, "stay 1")) as machine:
        said = [line for line in machine.wait_for("READY").splitlines() if line.startswith("bulkhead: ")]
        shown = machine.wait_for_screen("READY")
        assert shown.startswith("bulkhead: Bulkhead\n")
        shown = shown.replace("\n", "")
    assert len(said) > 5
    for line in said:
        assert line in shown


def test_the_screen_scrolls(tmp_path):
    with Kernel(tmp_path, "stay 1", screen=True) as machine:
        machine.wait_for("READY")
        for number in range(60):
            machine.send(f"line {number}")   # the console shows what is typed
            machine.wait_for(f"line {number}\n")
        shown = machine.wait_for_screen("line 59").splitlines()
    assert "bulkhead: Bulkhead" not in shown
    numbers = [int(line.split()[1]) for line in shown if line.startswith("line ")]
    assert numbers == list(range(numbers[0], 60)) and len(numbers) > 10


def refusal(machine):
    """Its last words, when it has ended by itself."""
    assert machine.wait() == 2
    lines = machine.output().splitlines()
    assert "PANIC" not in machine.output()
    return next(line for line in lines if "cannot go on: " in line).partition("cannot go on: ")[2]


@pytest.mark.parametrize("cpu, found, remedy", [
    ("qemu32", "found one without long mode", "use another machine"),
    ("max,-nx", "expected a processor with NX", "switch it on in the firmware's set-up"),
    ("max,-apic", "expected a processor with a local APIC", "switch it on in the firmware's set-up"),
])
def test_a_processor_that_lacks_something_is_refused(tmp_path, cpu, found, remedy):
    with Kernel(tmp_path, "report", cpu=cpu) as machine:
        message = refusal(machine)
    assert found in message and remedy in message


def test_too_little_memory_is_refused(tmp_path):
    with Kernel(tmp_path, "report", memory="16M") as machine:
        message = refusal(machine)
    assert "MiB of RAM or more for this boot image" in message and "found 15; give the machine more" in message


def no_image(folder):
    return None


def not_an_archive(folder):
    path = folder / "image"
    path.write_bytes(b"\x1f\x8b\x08\x00" + bytes(1000))
    return path


def nothing_in_it(folder):
    path = folder / "image"
    path.write_bytes((boot_image(folder)).read_bytes().replace(b"sbin/init\0", b"sbin/inix\0"))
    return path


def a_script(folder):
    tree = folder / "script"
    (tree / "sbin").mkdir(parents=True)
    (tree / "sbin/init").write_text("#!/bin/sh\necho hello\n")
    return tree


@pytest.mark.parametrize("make, expected", [
    (no_image, "expected a boot image, found none; pass a cpio archive by module2 in GRUB, or by -initrd in QEMU"),
    (not_an_archive, "expected a boot image in cpio's newc format, not compressed, found something else"),
    (nothing_in_it, "expected /sbin/init, /init or /bin/bhd in the boot image, found none of them"),
    (a_script, "/sbin/init: expected a static x86-64 program, found something that cannot be started"),
])
def test_a_boot_image_that_will_not_do_is_refused(tmp_path, make, expected):
    (tmp_path / "made").mkdir()
    image = make(tmp_path / "made")
    options = {"initrd": image}
    if image and image.is_dir():
        options = {"initrd": None, "overlays": [image]}
    with Kernel(tmp_path, "report", **options) as machine:
        assert expected in refusal(machine)


def test_a_first_program_that_is_not_there_is_named(tmp_path):
    with Kernel(tmp_path, "", append="init=/bin/nobody") as machine:
        assert refusal(machine).startswith("init=/bin/nobody: expected a program of this name in the boot image")


@pytest.mark.parametrize("firmware", ["bios", pytest.param("uefi", marks=pytest.mark.long)])
def test_the_screen_shows_why_it_cannot_go_on(tmp_path, firmware):
    options = options_for(firmware, tmp_path, "report")
    with Kernel(tmp_path, "report", cpu="max,-nx", screen=True, exit_port=False, **options) as machine:
        machine.wait_for("The machine has stopped.")
        machine.wait_for_screen("expected a processor with NX (no-execute), found one without; switch it on in the "
                                "firmware's set-up")


@pytest.mark.parametrize("cpu, why", [
    ("max,-svm", "the processor has no AMD-V (SVM), or shows none: look for it in the firmware's set-up"),
    ("max,-npt", "the processor's AMD-V has no nested paging; use another machine"),
])
def test_it_runs_without_virtualization_and_says_so(tmp_path, cpu, why):
    with Kernel(tmp_path, "report", cpu=cpu) as machine:
        assert machine.wait() == 0
        output = machine.output()
    assert f"warning: no virtual machine can run here: {why}" in output
    assert "DEVICE /dev/kvm: No such device\n" in output and "DONE\n" in output


def test_missing_protection_is_said(tmp_path):
    with Kernel(tmp_path, "report", cpu="max,-smep,-smap") as machine:
        assert machine.wait() == 0
        assert "warning: the processor has no SMEP SMAP" in machine.output()


def test_the_iso_that_is_shipped_starts_the_daemon(tmp_path):
    with Kernel(tmp_path, "", iso=BUILD / "bulkhead.iso", memory="512M") as machine:
        machine.wait_for("bulkhead> ")


# --- another emulator: another chipset, Intel's processors, and more faults where a mistake deserves one ---

BOCHS = """\
plugin_ctrl: usb_uhci=0, speaker=0, gameport=0, parallel=0, unmapped=1, biosdev=1
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
megs: 256
cpu: model={model}, ips=50000000, reset_on_triple_fault=0
clock: sync=none, time0=utc
sound: driver=dummy
log: bochs.log
com1: enabled=1, mode=file, dev=serial
ata0-master: type=cdrom, path=probe.iso, status=inserted
boot: cdrom
panic: action=fatal
"""


@pytest.mark.long
@pytest.mark.parametrize("model, said", [
    ("ryzen", "virtualization: AMD-V with nested paging, 32768 address space ids"),
    ("corei7_skylake_x", "warning: no virtual machine can run here: the processor has Intel's VT-x, which this kernel doesn't use yet"),
])
def test_it_boots_in_bochs(tmp_path, model, said):
    iso(tmp_path, "report")
    (tmp_path / "rc").write_text(BOCHS.format(model=model))
    (tmp_path / "commands").write_text("c\nq\n")
    # Its exit status is 1 whatever happens; the machine's power-off ends it.
    subprocess.run(["bochs", "-q", "-f", "rc", "-rc", "commands"], cwd=tmp_path, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=240, check=False)
    output = (tmp_path / "serial").read_text(errors="replace").replace("\r", "")
    assert f"bulkhead: {said}\n" in output, output
    assert "DONE\n" in output and "PANIC" not in output


def test_an_unknown_system_call_is_told_once(tmp_path):
    with Kernel(tmp_path, "unknown") as machine:
        assert machine.wait() == 0
        output = machine.output()
    told = [line.partition("): ")[2] for line in output.splitlines() if line.endswith("isn't there")]
    # What Linux has no number for is all told by one.
    assert told == ["system call 500 isn't there", "system call 70000 isn't there"]
