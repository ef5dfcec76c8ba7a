"""virtio-blk: what a guest writes is on the host's file or block device, and nothing else is."""

import pytest

from support import BLOCK_DEVICE

MIB = 1 << 20


@pytest.fixture(scope="module")
def guest(emulated_server, module_vms):
    emulated_server.ensure()
    emulated_server.run("cd /disk && dd if=/dev/urandom of=ro bs=1M count=4 2> /dev/null && "
                        "cp ro data && cp ro direct; cd /").check()
    return module_vms.tiny("--disk", "/disk/data,serial=the-data", "--disk", "/disk/ro,readonly",
                           "--disk", "/disk/direct,direct", "--disk", f"{BLOCK_DEVICE},id=block")


def guest_checksum(guest, device):
    return guest.run(f"echo 3 > /proc/sys/vm/drop_caches; md5sum < {device}").check().split()[0]


@pytest.mark.parametrize("device, path", [("vda", "/disk/data"), ("vdc", "/disk/direct"),
                                          ("vdd", BLOCK_DEVICE)], ids=["file", "direct", "block-device"])
def test_what_the_guest_writes_is_on_the_host(guest, server, device, path):
    assert guest_checksum(guest, f"/dev/{device}") == server.checksum(path)
    # Whole and odd pieces, at odd sectors.
    guest.run(f"dd if=/dev/urandom of=/dev/{device} bs=512 seek=3 count=199 conv=notrunc,fsync; "
              f"dd if=/dev/urandom of=/dev/{device} bs=1M seek=2 count=1 conv=notrunc,fsync").check()
    assert guest_checksum(guest, f"/dev/{device}") == server.checksum(path)


def test_a_guest_sees_the_size_and_the_serial_number(guest):
    assert guest.run("blockdev --getsize64 /dev/vda").check().strip() == str(4 * MIB)
    assert guest.run("cat /sys/block/vda/serial").check().strip() == "the-data"


def test_a_read_only_disk_is_not_written(guest, server):
    before = server.checksum("/disk/ro")
    assert guest.run("cat /sys/block/vdb/ro").check().strip() == "1"
    # Here Linux itself refuses: what happens to a driver that tries is in test_hostile.py.
    assert guest.run("dd if=/dev/zero of=/dev/vdb bs=512 count=1 conv=fsync").status != 0
    assert guest_checksum(guest, "/dev/vdb") == before == server.checksum("/disk/ro")


def test_statistics_count_what_the_disk_does(guest):
    def counters():
        return guest.api("stats")["devices"]["disk0"]

    before = counters()
    guest.run("dd if=/dev/zero of=/dev/vda bs=1M count=2 conv=fsync,notrunc && "
              "echo 3 > /proc/sys/vm/drop_caches && dd if=/dev/vda of=/dev/null bs=1M count=1").check()
    after = counters()
    assert after["written_bytes"] - before["written_bytes"] == 2 * MIB
    assert after["read_bytes"] - before["read_bytes"] >= MIB
    assert all(after[name] > before[name] for name in ("writes", "reads", "flushes"))
    assert after["errors"] == before["errors"] and not after["needs_reset"]
