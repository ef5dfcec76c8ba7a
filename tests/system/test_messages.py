"""What a person gets wrong gets one line that says what, and exit status 2."""

import json

import pytest

from support import BZIMAGE, VMLINUX

KERNEL = f"--kernel {VMLINUX}"

# Made on the server, in /disk/wrong, by each module that uses it; see files().
PREPARE = f"""
mkdir -p /disk/wrong/directory && cd /disk/wrong
dd if={BZIMAGE} of=short-bzimage bs=1M count=2
dd if={VMLINUX} of=short-elf bs=1M count=2
dd if={VMLINUX} of=shortest-elf bs=64 count=1
echo this is no kernel at all > text
: > empty
truncate -s 1M disk
truncate -s 100 small-disk
truncate -s 300M huge-initrd
sed s/Xen/Zen/ /tests/reset.elf > elf-without-note
printf '%s' '{{"boot": {{"kernel": "x"}}, "cpus": 65}}' > cpus.json
printf '%s' '{{"boot": {{"kernal": "x"}}}}' > unknown.json
printf '%s' '{{"boot": {{"kernel": "x"}}' > malformed.json
tunctl -t busy
modprobe loop
{{ losetup /dev/loop0 || losetup -r /dev/loop0 disk; }}
"""

WRONG = {
    "no kernel": ("", "bhvm: error: command line: --kernel: required, but missing: "),
    "kernel missing": ("--kernel nowhere",
                       "nowhere: cannot open the kernel: No such file or directory"),
    "kernel a directory": ("--kernel directory",
                           "directory: expected the kernel as a regular file, found another kind"),
    "kernel no kernel": ("--kernel text", "text: expected a kernel (a Linux bzImage, or an ELF with a PVH "
                         "entry), found neither"),
    "kernel empty": ("--kernel empty", "empty: expected a kernel (a Linux bzImage, or an ELF with a PVH "
                     "entry), found neither"),
    "bzImage truncated": ("--kernel short-bzimage", "short-bzimage: the kernel is truncated: expected "),
    "ELF truncated": ("--kernel short-elf", "short-elf: the kernel is truncated: expected "),
    "ELF header only": ("--kernel shortest-elf", "shortest-elf: the kernel is truncated: expected "),
    "ELF without a PVH note": ("--kernel elf-without-note", "elf-without-note: expected an ELF kernel with a "
                               "PVH entry (a Xen note of type 18), found none"),
    "kernel needs more memory": (f"{KERNEL} --memory 16M", f"{VMLINUX}: the kernel reaches up to 41 MiB, where the VM's "
                                 "16 MiB of memory have no room"),
    "bzImage needs more memory": (f"--kernel {BZIMAGE} --memory 16M", f"{BZIMAGE}: the kernel needs "),
    "initrd missing": (f"{KERNEL} --initrd nowhere",
                       "nowhere: cannot open the initrd: No such file or directory"),
    "initrd too large": (f"{KERNEL} --initrd huge-initrd --memory 128M", "huge-initrd: the initrd of 300 MiB "
                         "doesn't fit beside the kernel into 128 MiB of memory; give the VM more memory"),
    "disk missing": (f"{KERNEL} --disk nowhere",
                     "nowhere: cannot open the disk for reading and writing: No such file or directory"),
    "disk empty": (f"{KERNEL} --disk empty", "empty: expected at least one sector of 512 bytes, found none"),
    "disk too small": (f"{KERNEL} --disk small-disk",
                       "small-disk: expected at least one sector of 512 bytes, found none"),
    "disk a directory": (f"{KERNEL} --disk directory",
                         "directory: cannot open the disk for reading and writing: Is a directory"),
    "disk a device of characters": (f"{KERNEL} --disk /dev/null",
                                    "/dev/null: expected a raw image or a block device, found neither"),
    "disk twice": (f"{KERNEL} --disk disk --disk disk",
                   "disk: the disk is in use by another VM; a disk has one writer, or readers that all "
                   "open it read-only"),
    "disk mounted": (f"{KERNEL} --disk /dev/vda", "/dev/vda: the disk, or a part of it, is in use by another VM or by "
                     "the host, which may have mounted it"),
    "disk read-only": (f"{KERNEL} --disk /dev/loop0", "/dev/loop0: expected a device that can be written, found a "
                       "read-only one; make it a read-only disk"),
    "tap no tap": (f"{KERNEL} --net tap=lo",
                   'tap "lo": cannot be used: it exists and isn\'t a tap with a virtio-net header (vnet_hdr)'),
    "tap busy": (f"{KERNEL} --net tap=busy --net tap=busy", 'tap "busy": cannot be used: another VM uses it'),
    "memory too small": (f"{KERNEL} --memory 512K", "--memory: expected "),
    "memory odd": (f"{KERNEL} --memory 1025K", "--memory: expected "),
    "memory no number": (f"{KERNEL} --memory lots", "--memory: expected "),
    "no processor": (f"{KERNEL} --cpus 0", "--cpus: expected an integer from 1 to 64, found 0"),
    "too many processors": (f"{KERNEL} --cpus 65", "--cpus: expected an integer from 1 to 64, found 65"),
    "unknown option": ("--kernle x", 'command line: --kernle: unknown option; did you mean "--kernel"?'),
    "config missing": ("--config nowhere.json", "nowhere.json: can't be opened: No such file or directory"),
    "key out of range": ("--config cpus.json", "cpus.json: cpus: expected an integer from 1 to 64, found 65"),
    "unknown key": ("--config unknown.json",
                    'unknown.json: boot.kernal: unknown key; did you mean "kernel"?'),
    "malformed JSON": ("--config malformed.json", "malformed.json: line 1, column 24: "),
    "api socket no socket": (f"{KERNEL} --api-socket text",
                             "text: exists; another process listens there, or it isn't a socket"),
    "console no place": (f"{KERNEL} --console nowhere:x", "--console: expected "),
    "console file in no directory": (f"{KERNEL} --console file:nowhere/x",
                                     "console: nowhere/x: can't be opened: No such file or directory"),
}


@pytest.fixture(scope="module")
def files(emulated_server):
    emulated_server.ensure()
    script = PREPARE.strip().replace("\n", " && ")
    emulated_server.run(f"({script}) > /dev/null 2>&1").check()


def bhvm(server, options):
    return server.run(f"(cd /disk/wrong && bhvm {options} < /dev/null)")


@pytest.mark.parametrize("options, message", WRONG.values(), ids=[name.replace(" ", "-") for name in WRONG])
def test_a_mistake_is_named(files, server, options, message):
    result = bhvm(server, options)
    assert message in result.output
    assert result.status == 2
    assert result.output.count("\n") == 1, "one line"


def test_a_disk_in_use_is_refused_but_for_readers(files, vms, server):
    vms.start("--kernel", "/tests/reset.elf", "--cmdline", "flood", "--console", "null", "--disk",
              "/disk/wrong/disk,readonly").api("state")
    result = bhvm(server, "--kernel /tests/reset.elf --disk disk")
    assert (result.status, "in use by another VM" in result.output) == (2, True)
    result = bhvm(server, "--kernel /tests/reset.elf --disk disk,readonly")
    assert (result.status, "payload: done" in result.output) == (0, True)


def test_a_socket_in_use_is_refused(files, vms, server):
    vm = vms.start("--kernel", "/tests/reset.elf", "--cmdline", "flood", "--console", "unix:/run/taken")
    vm.api("state")
    for options in (f"--api-socket {vm.api_path}", "--console unix:/run/taken"):
        result = bhvm(server, f"--kernel /tests/reset.elf {options}")
        assert result.status == 2
        assert result.output.endswith("exists; another process listens there, or it isn't a socket\n")
    assert vm.api("state")["state"] == "running"


@pytest.mark.parametrize("device, needed_for", [("/dev/kvm", ""), ("/dev/net/tun", "--net tap=busy")])
def test_a_host_that_lacks_something_is_another_status(files, server, device, needed_for):
    server.run(f"mv {device} {device}.away").check()
    try:
        result = bhvm(server, f"--kernel /tests/reset.elf {needed_for}")
        assert f"{device}: cannot be opened: No such file or directory; is " in result.output
        assert result.status == 1
    finally:
        server.run(f"mv {device}.away {device}").check()


def test_a_user_who_may_not_make_a_tap_is_told(files, server):
    server.run("echo guest:x:1000:1000::/:/bin/sh >> /etc/passwd; chmod 666 /dev/kvm /dev/net/tun").check()
    result = server.run("su guest -c 'bhvm --kernel /tests/reset.elf --net tap=nowhere' < /dev/null")
    assert ("tap \"nowhere\": cannot be used: it isn't this user's, and making it takes CAP_NET_ADMIN"
            in result.output)
    assert result.status == 2


def test_the_effective_document_runs_the_same_machine(server):
    dumped = server.run("bhvm --kernel /tests/reset.elf --memory 16M --cpus 2 --dump-config").check()
    assert json.loads(dumped)["cpus"] == 2
    server.run("bhvm --kernel /tests/reset.elf --memory 16M --cpus 2 --dump-config > /run/vm.json").check()
    assert "payload: done" in server.run("bhvm --config /run/vm.json < /dev/null").check()
