"""Virtual machines on the kernel: bhvm as the first program, a guest on it, and what the guest prints."""

import json
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools"))

from emulator import Config, Emulator  # noqa: E402
import pexpect  # noqa: E402

TESTS = REPOSITORY / "build/system/overlay"  # has payloads and the tiny guest in /tests
CMDLINE = "console=ttyS0 quiet panic=-1 no_timer_check"
TIMEOUT = 280

# All vCPUs work at once, sleep, and interrupt one another.
WORK = ("grep -c processor /proc/cpuinfo; dd if=/dev/urandom of=/tmp/a bs=64k count=20 2>/dev/null; "
        "for i in 1 2 3 4 5 6; do (sleep 0.$i; md5sum /tmp/a) & done; wait; "
        "sleep 1 && cat /sys/devices/system/clocksource/clocksource0/current_clocksource")


def run(folder, cpus, vm, cpu="max"):
    """What is printed until the machine powers off, as lines."""
    (folder / "vm.json").write_text(json.dumps(vm))
    config = Config(os="bulkhead", cpus=cpus, cpu=cpu, memory="768M", overlays=[TESTS, folder],
                    run="/bin/bhvm --config /vm.json", timeout=TIMEOUT)
    with Emulator(config) as machine:
        console = machine.console()
        console.expect(pexpect.EOF, timeout=TIMEOUT)
        lines = console.before.replace("\r", "").splitlines()
        assert machine.wait() == 0, "\n".join(lines)
        return lines


@pytest.mark.parametrize("payload, words", [("reset", ""), ("hostile", "chains"), ("hostile", "ports")])
def test_a_payload_ends_well(payload, words, tmp_path):
    lines = run(tmp_path, 1, {"memory": "64M", "boot": {"kernel": f"/tests/{payload}.elf", "cmdline": words}})
    assert "payload: done" in lines
    assert [line for line in lines if "FAILED" in line] == []


@pytest.mark.parametrize("cpus, vcpus, cpu", [(1, 1, "max"), (2, 4, "max"), (2, 2, "EPYC")])
def test_linux_works(cpus, vcpus, cpu, tmp_path):
    boot = {"kernel": "/tests/tiny/vmlinux", "initrd": "/tests/tiny/initrd",
            "cmdline": f'{CMDLINE} tiny.run="{WORK}"'}
    lines = run(tmp_path, cpus, {"memory": "128M", "cpus": vcpus, "boot": boot}, cpu)
    assert "tiny: status 0" in lines, "\n".join(lines)
    start = lines.index("tiny: ready")
    assert lines[start + 1] == str(vcpus)
    sums = [line for line in lines if re.fullmatch(r"[0-9a-f]{32}  /tmp/a", line)]
    assert len(sums) == 6 and len(set(sums)) == 1
    assert "kvm-clock" in lines
    assert [line for line in lines if re.search(r"BUG|WARNING|Call Trace|stall", line)] == []
