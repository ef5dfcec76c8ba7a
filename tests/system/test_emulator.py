"""The emulated server itself: what every other system test takes for granted."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools"))

from emulator import (EXIT_RESET, EXIT_TIMEOUT, EXIT_USER, Config, Disk, Emulator,  # noqa: E402
                      Nic, login, run)

MACHINE = REPOSITORY / "tools" / "machine"


def machine(*arguments: object, timeout: float = 300) -> subprocess.CompletedProcess:
    """Run tools/machine to its end, without a terminal."""
    command = [str(MACHINE), "--timeout", str(timeout), *map(str, arguments)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout + 60, check=False)


def test_linux_image_is_ready_for_guests(tmp_path):
    """The bridge, /dev/kvm, tun, cgroups, the overlay's files and both kinds of disk are there."""
    overlay = tmp_path / "overlay"
    (overlay / "data").mkdir(parents=True)
    (overlay / "data/hello").write_text("from the overlay\n")
    blank = tmp_path / "blank.img"
    blank.write_bytes(b"written by the test" + bytes(1 << 20))
    config = Config(cpus=2, overlays=[overlay], nics=[Nic.parse("user")],
                    disks=[Disk(blank, snapshot=True), Disk.parse(f"{blank},bus=nvme,snapshot")])
    with Emulator(config) as server:
        console = server.console()
        login(console)
        assert "10.0.0.1/24" in run(console, "ip address show br0").output
        assert run(console, "test -c /dev/kvm -a -c /dev/net/tun").status == 0
        assert "cpu" in run(console, "cat /sys/fs/cgroup/cgroup.subtree_control").output
        assert run(console, "cat /proc/sys/net/ipv4/ip_forward").output == "0\n"
        assert run(console, "nproc").output == "2\n"
        assert run(console, "cat /data/hello").output == "from the overlay\n"
        for disk in ("vda", "nvme0n1"):
            assert run(console, f"head -c 19 /dev/{disk}").output == "written by the test"
        assert run(console, "false").status == 1
        console.sendline("poweroff -f")
        assert server.wait(300) == 0


@pytest.mark.parametrize("status, reported", [(0, 0), (7, 7), (200, 111)])
def test_exit_status_is_passed_through(status, reported):
    """Up to 111 as it is; the serial line has the true one."""
    done = machine("--run", f"exit {status}")
    assert done.returncode == reported
    assert f"exit-status: {status}\n" in done.stdout.replace("\r", "")


def test_the_emulator_is_the_one_without_faults():
    """Of guests that hang by a fault of the emulator's no other test could tell."""
    command = subprocess.run([str(MACHINE), "--print"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=60, check=True).stdout.split()
    fixed = Path(command[0])
    assert fixed == REPOSITORY / "build/emulator/bin/qemu-system-x86_64"
    usr = Path(shutil.which("qemu-system-x86_64")).resolve().parent.parent
    for name in ("bin/qemu-system-x86_64", "lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so"):
        original, copy = (usr / name).read_bytes(), (fixed.parent.parent / name).read_bytes()
        assert sum(before != after for before, after in zip(original, copy)) > 6, name


def test_time_limit_kills_and_says_so():
    started = time.monotonic()
    done = machine("--run", "sleep 100", timeout=4)
    assert done.returncode == EXIT_TIMEOUT
    assert "still running after 4 s" in done.stderr
    assert time.monotonic() - started < 100, "ended with its payload"


def test_panic_is_not_a_success():
    assert machine("--append", "rdinit=/nothing-there").returncode == EXIT_RESET


def test_machine_ends_with_its_starter():
    """A test run that is killed leaves no emulator behind."""
    program = ("from emulator import *; import time\n"
               "m = Emulator(Config()); m.start(); print(m.process.pid, flush=True)\n"
               "time.sleep(600)\n")
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
                               cwd=REPOSITORY / "tools")
    pid = int(starter.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    starter.kill()
    starter.wait()
    deadline = time.monotonic() + 120
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_two_servers_talk_over_a_cable(tmp_path):
    cable = tmp_path / "cable"
    near = Config(nics=[Nic.parse(f"cable={cable},listen")], memory="512M")
    far = Config(nics=[Nic.parse(f"cable={cable},connect")], memory="512M",
                 run="ip addr add 10.1.0.2/24 dev eth0; ip link set eth0 up; sleep 1000")
    with Emulator(near) as server, Emulator(far):
        console = server.console()
        login(console)
        run(console, "ip addr add 10.1.0.1/24 dev eth0; ip link set eth0 up")
        ping = run(console, "for i in $(seq 30); do ping -c 1 -W 1 10.1.0.2 && break; done")
        assert " 0% packet loss" in ping.output


def test_counted_instructions_repeat():
    """With --count two boots take the same virtual time, whatever else the machine does."""
    uptimes = []
    for _ in range(2):
        done = machine("--count", "--memory", "512M", "--run", "cat /proc/uptime", timeout=600)
        assert done.returncode == 0
        uptimes.append(float(done.stdout.split()[0]))
    assert uptimes[0] == pytest.approx(uptimes[1], rel=0.01)


@pytest.mark.parametrize("arguments, message", [
    (["--disk", "/nowhere.img"], "disk /nowhere.img: no such file"),
    (["--disk", "a,bus=ide"], "bus is 'ide'; expected one of virtio, nvme"),
    (["--disk", "a,fast"], "unknown option 'fast'"),
    (["--nic", "cable=/tmp/c"], "expected cable=PATH,listen on one server"),
    (["--nic", "wifi"], "expected user, cable=PATH or none"),
    (["--memory", "lots"], "--memory lots: expected a number with M or G"),
    (["--cpus", "2", "--count"], "instructions are counted on one CPU"),
    (["--kernel", "/nowhere"], "--kernel /nowhere: no such file"),
    (["--overlay", "/nowhere"], "--overlay /nowhere: no such file"),
    (["--qemu", "no-such-qemu"], "--qemu no-such-qemu: no such program"),
    (["--serial", "tape"], "--serial tape: expected stdio"),
])
def test_mistakes_are_explained(arguments, message):
    done = machine(*arguments)
    assert done.returncode == EXIT_USER
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
