"""Few and many processors, of the server and of its guests."""

import re

import pytest

from kernel_host import host as emulated_host, neighbour

WORKERS = {"ann": neighbour("answer"), "bob": neighbour("answer"),
           "cem": neighbour("answer", nets=[{"tap": "cem"}]), "dan": neighbour("answer", disks=[{"path": "/tests/own.img"}])}

# As many pieces of work as processors, and one more; each has the same sum.
WORK = ("cat /sys/devices/system/cpu/online; grep -c ^processor /proc/cpuinfo; "
        "dd if=/dev/urandom of=/tmp/a bs=64k count=20 2>/dev/null; "
        "for i in 0 1 2 3 4; do (md5sum /tmp/a; md5sum /tmp/a) & done; wait")
PIECES = 10


def debian(cpus):
    """Debian's kernel, with a shell for all the rest."""
    boot = {"kernel": "/tests/tiny/vmlinux", "initrd": "/tests/tiny/initrd",
            "cmdline": f'console=ttyS0 quiet panic=-1 no_timer_check tiny.run="{WORK}"'}
    return {"memory": "96M", "cpus": cpus, "autostart": False, "restart": "never", "boot": boot}


@pytest.mark.parametrize("cpus", [1, 4])
def test_four_guests_at_once(cpus, tmp_path):
    with emulated_host(tmp_path, WORKERS, cpus=cpus, memory="512M", timeout=280) as host:
        assert f"{cpus} CPUs" in host.command("status")
        host.start(*WORKERS)
        host.works(*WORKERS)
        host.kill("bob")
        host.works("ann", "cem", "dan")
        host.console.send("poweroff\r")
        assert host.machine.wait(60) == 0


def check_debian(host, cpus):
    host.attach(f"debian{cpus}")
    lines = host.expect("tiny: status 0").splitlines()
    host.detach()
    start = lines.index("tiny: ready")
    assert lines[start + 1:start + 3] == ["0" if cpus == 1 else f"0-{cpus - 1}", str(cpus)]
    sums = [line for line in lines if re.fullmatch(r"[0-9a-f]{32}  /tmp/a", line)]
    assert len(sums) == PIECES and len(set(sums)) == 1
    assert [line for line in lines if re.search(r"BUG|WARNING|Call Trace|stall", line)] == []


def test_guests_with_one_to_four_processors_at_once(tmp_path):
    sizes = (1, 2, 3, 4)
    with emulated_host(tmp_path, {f"debian{cpus}": debian(cpus) for cpus in sizes}, cpus=4, memory="1G",
                       timeout=280) as host:
        for cpus in sizes:
            host.command(f"start debian{cpus}")
        for cpus in sizes:
            check_debian(host, cpus)
            host.until("list", rf"^debian{cpus} +stopped")
        host.console.send("poweroff\r")
        assert host.machine.wait(60) == 0
