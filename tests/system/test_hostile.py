"""A guest that does everything wrong harms nobody but itself."""

import pytest


@pytest.mark.parametrize("misdeed", ["chains", "resets", "msix", "bars", "ports"])
def test_a_hostile_guest(vms, server, misdeed):
    server.run("[ -e /disk/hostile ] || dd if=/dev/urandom of=/disk/hostile bs=1M count=1 2> /dev/null; "
               "tunctl -t taph > /dev/null; ip link set taph up").check()
    before = server.checksum("/disk/hostile")
    vm = vms.start("--kernel", "/tests/hostile.elf", "--memory", "64M", "--disk", "/disk/hostile,readonly",
                   "--net", "tap=taph", "--cmdline", misdeed)
    output = vm.wait_console("payload: done")
    assert "FAILED" not in output and output.count("works afterwards") == 3, output
    assert vm.wait_exit() == 0
    assert server.checksum("/disk/hostile") == before


def test_a_guest_that_floods_its_console_can_be_spoken_to(vms):
    vm = vms.start("--kernel", "/tests/reset.elf", "--cmdline", "flood", "--console", "null")
    vm.wait_until(lambda: vm.api("stats")["exits"].get("io", 0) > 10000)
    assert vm.api("pause") == {}
    assert vm.api("quit") == {}
    assert vm.wait_exit() == 0
