"""virtio-blk: what a guest writes is on the host's file or block device, and nothing else is."""

import pytest

MIB = 1 << 20


@pytest.fixture(scope="module")
def files(emulated_server):
    """Three images of random bytes on the server, and a block device of its own."""
    emulated_server.ensure()
    emulated_server.run("mkdir -p /run/disk && cd /run/disk && dd if=/dev/urandom of=ro bs=1M count=4 && "
                        "cp ro data && cp ro direct && cp ro block && cd /").check()
    emulated_server.run("insmod /lib/modules/*/kernel/drivers/block/loop.ko; losetup /dev/loop0 "
                        "/run/disk/block").check()
    return "/run/disk"


@pytest.fixture(scope="module")
def guest(module_vms, files):
    return module_vms.tiny("--disk", f"{files}/data,serial=the-data", "--disk", f"{files}/ro,readonly",
                           "--disk", f"{files}/direct,direct", "--disk", "/dev/loop0,id=block")


def guest_checksum(guest, device):
    return guest.run(f"echo 3 > /proc/sys/vm/drop_caches; md5sum < {device}").check().split()[0]


def server_checksum(server, path):
    return server.run(f"md5sum < {path}").check().split()[0]


@pytest.mark.parametrize("device, path", [("vda", "/run/disk/data"), ("vdc", "/run/disk/direct"),
                                          ("vdd", "/dev/loop0")], ids=["file", "direct", "block-device"])
def test_what_the_guest_writes_is_on_the_host(guest, server, device, path):
    assert guest_checksum(guest, f"/dev/{device}") == server_checksum(server, path)
    # Whole and odd pieces, at odd sectors.
    guest.run(f"dd if=/dev/urandom of=/dev/{device} bs=512 seek=3 count=1999 conv=notrunc,fsync; "
              f"dd if=/dev/urandom of=/dev/{device} bs=1M seek=2 count=1 conv=notrunc,fsync").check()
    assert guest_checksum(guest, f"/dev/{device}") == server_checksum(server, path)


def test_a_guest_sees_the_size_and_the_serial_number(guest):
    assert guest.run("blockdev --getsize64 /dev/vda").check().strip() == str(4 * MIB)
    assert guest.run("cat /sys/block/vda/serial").check().strip() == "the-data"


def test_a_read_only_disk_refuses_writes(guest, server, files):
    before = server_checksum(server, f"{files}/ro")
    assert guest.run("cat /sys/block/vdb/ro").check().strip() == "1"
    # Linux itself refuses: a guest that doesn't care is in test_hostile.py.
    assert guest.run("dd if=/dev/zero of=/dev/vdb bs=512 count=1 conv=fsync").status != 0
    assert guest_checksum(guest, "/dev/vdb") == before == server_checksum(server, f"{files}/ro")


def test_a_flush_reaches_the_disk(guest):
    before = guest.api("stats")["devices"]["disk0"]["flushes"]
    guest.run("dd if=/dev/urandom of=/dev/vda bs=4k count=1 conv=fsync,notrunc").check()
    assert guest.api("stats")["devices"]["disk0"]["flushes"] > before


def test_statistics_count_what_the_disk_does(guest):
    def counters():
        return guest.api("stats")["devices"]["disk0"]

    before = counters()
    guest.run("dd if=/dev/zero of=/dev/vda bs=1M count=2 conv=fsync,notrunc && "
              "echo 3 > /proc/sys/vm/drop_caches && dd if=/dev/vda of=/dev/null bs=1M count=1").check()
    after = counters()
    assert after["write_bytes"] - before["write_bytes"] == 2 * MIB
    assert after["read_bytes"] - before["read_bytes"] >= MIB
    assert after["writes"] > before["writes"] and after["reads"] > before["reads"]
    assert after["errors"] == before["errors"] and not after["needs_reset"]
