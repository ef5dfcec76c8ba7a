"""The guests' images boot on the bare emulated server: what goes wrong here isn't bhvm's fault."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools"))

from emulator import Config, Disk, Emulator, Nic, login_debian, run  # noqa: E402

GUESTS = REPOSITORY / "build" / "guests"


@pytest.mark.parametrize("kernel", ["vmlinuz", "vmlinux"])
def test_tiny_guest_runs_commands_and_powers_off(kernel):
    """As a bzImage and as a PVH ELF."""
    config = Config(kernel=GUESTS / "tiny" / kernel, initrd=GUESTS / "tiny/initrd", memory="256M",
                    append='tiny.run="ls /sys/class/net; false"', nics=[Nic.parse("none")])
    with Emulator(config) as machine:
        console = machine.console()
        console.expect_exact("tiny: ready")
        console.expect(r"eth0\s+lo\s+tiny: status 1\s")
        assert machine.wait(300) == 0


def test_tiny_guest_obeys_the_power_button():
    config = Config(kernel=GUESTS / "tiny/vmlinux", initrd=GUESTS / "tiny/initrd", memory="256M")
    with Emulator(config) as machine:
        machine.console().expect_exact("tiny# ")
        machine.qmp("system_powerdown")
        assert machine.wait(300) == 0


@pytest.mark.parametrize("name, release, address", [
    ("bookworm", "6.1.", "10.0.0.11/24"),
    ("trixie", "6.12.", "10.0.0.12/24"),
])
def test_debian_guest_boots_to_a_login(name, release, address):
    folder = GUESTS / name
    config = Config(kernel=folder / "vmlinuz", initrd=folder / "initrd", memory="256M",
                    append=(folder / "cmdline").read_text().strip(),
                    disks=[Disk(folder / "root.img", snapshot=True)], nics=[Nic.parse("none")], timeout=3600)
    with Emulator(config) as machine:
        console = machine.console()
        login_debian(console, name)
        assert run(console, "uname -r").output.startswith(release)
        assert address in run(console, "ip address show eth0").output
        assert run(console, "systemctl is-system-running --wait").output == "running\n"
        assert run(console, "echo kept > /root/file && sync && cat /root/file").output == "kept\n"
        machine.qmp("system_powerdown")
        assert machine.wait(300) == 0
