"""bhvm on the kernel: every mistake that it names there, it names byte for byte as on Linux."""

import shutil

import pytest

import test_messages
from support import BUILD, BZIMAGE, VMLINUX, emulator

files = test_messages.files    # the fixture

KERNEL = f"--kernel {VMLINUX}"
MIB = 1 << 20

# What there is to say besides mistakes.
ANSWERS = {
    "version": "--version",
    "help": "--help",
    "effective document": f"{KERNEL} --memory 1G --cpus 3 --disk disk,readonly --net tap=any --dump-config",
    "effective document of a wrong one": "--config unknown.json --dump-config",
    "check": f"{KERNEL} --check",
    "check of nothing": "--check",
    "option twice": f"{KERNEL} {KERNEL} --name twice --check",
    "option without its value": "--kernel",
    "name with a slash": f"{KERNEL} --name a/b --check",
    "path too long": f"{KERNEL} --api-socket /{'x' * 200}",
    "name too long": f"--kernel {'x' * 300}",
    "no directory on the way": "--kernel text/kernel",
}

# Mistakes that take a tap, a mount or a loop device are for where there are tunctl, mount and losetup.
ON_LINUX = ("tap ", "disk mounted", "disk read-only")
OPTIONS = {name: options for name, (options, _) in test_messages.WRONG.items() if not name.startswith(ON_LINUX)} | ANSWERS


def lay_out(root):
    """As test_messages.PREPARE does on Linux, but in the root: the kernel has no other current directory."""
    (root / "directory").mkdir(parents=True)
    tests = BUILD / "system/overlay"
    shutil.copytree(tests / "tests/tiny", root / "tests/tiny")
    shutil.copy(tests / "tests/reset.elf", root / "tests/reset.elf")
    bzimage, vmlinux = ((tests / path[1:]).read_bytes() for path in (BZIMAGE, VMLINUX))
    contents = {
        "short-bzimage": bzimage[:2 * MIB],
        "short-elf": vmlinux[:2 * MIB],
        "shortest-elf": vmlinux[:64],
        "text": b"this is no kernel at all\n",
        "empty": b"",
        "disk": bytes(MIB),
        "small-disk": bytes(100),
        "elf-without-note": (tests / "tests/reset.elf").read_bytes().replace(b"Xen", b"Zen"),
        "cpus.json": b'{"boot": {"kernel": "x"}, "cpus": 65}',
        "unknown.json": b'{"boot": {"kernal": "x"}}',
        "malformed.json": b'{"boot": {"kernel": "x"}',
    }
    for name, data in contents.items():
        (root / name).write_bytes(data)
    for folder in ("sbin", "etc"):
        (root / folder).mkdir()
    shutil.copy(BUILD / "system/kernel_messages_probe", root / "sbin/init")
    commands = [f"truncate huge-initrd {300 * MIB}", *(f"bhvm {options}" for options in OPTIONS.values())]
    (root / "etc/commands").write_text("".join(line + "\n" for line in commands))


@pytest.fixture(scope="module", name="said_here")
def run_all(tmp_path_factory):
    """Name -> what bhvm printed on the kernel, and its status."""
    folder = tmp_path_factory.mktemp("messages")
    lay_out(folder / "root")
    log = folder / "serial"
    config = emulator.Config(os="bulkhead", memory="2G", overlays=[folder / "root"], serial=f"file:{log}",
                             timeout=240)
    with emulator.Emulator(config) as machine:
        assert machine.wait() == 0
    text = log.read_bytes().decode(errors="replace").replace("\r", "")
    assert "DONE\n" in text, text[-2000:]
    said = {}
    for number, name in enumerate(OPTIONS, start=1):
        output, _, rest = text.partition(f"=begin {number}\n")[2].partition("=status ")
        said[name] = (output, int(rest.split("\n", 1)[0]))
    return said


@pytest.mark.parametrize("name", OPTIONS, ids=[name.replace(" ", "-") for name in OPTIONS])
def test_bhvm_says_the_same_as_on_linux(files, server, said_here, name):
    there = test_messages.bhvm(server, OPTIONS[name])
    assert said_here[name] == (there.output, there.status)
