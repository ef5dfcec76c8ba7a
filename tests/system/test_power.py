"""A machine is paused, switched off, reset, ended and killed."""

import re

import pytest


@pytest.fixture(scope="module")
def long_running(emulated_server, module_vms):
    """A guest that outlives pauses."""
    emulated_server.ensure()
    return module_vms.tiny("--cpus", 2)


def test_a_paused_guest_stands_still_and_its_clock_with_it(long_running, server):
    vm = long_running
    vm.send('(while usleep 10000; do echo "tick $((n += 1))."; done) & ticker=$!\n')
    vm.wait_console("tick 20.")
    assert vm.api("pause") == {}
    assert vm.api("state")["state"] == "paused"
    frozen_ns = vm.api("stats")["guest_ns"]
    before = server.read(vm.out), vm.cpu_ticks()
    server.run("sleep 3")
    # Some ticks were for our questions.
    assert server.read(vm.out) == before[0] and vm.cpu_ticks() - before[1] < 30
    assert vm.api("pause") == {}
    assert vm.api("stats")["guest_ns"] == frozen_ns

    vm.api("resume")
    last = int(re.findall(r"tick (\d+)\.", before[0])[-1])
    vm.wait_console(f"tick {last + 20}.")
    assert vm.api("state")["state"] == "running"
    # Not by Ctrl-C: the terminal throws away what is typed before the shell has seen it.
    vm.send("kill $ticker\n")
    vm.run("wait $ticker")
    complaints = vm.run("dmesg | grep -i -e lockup -e stall -e 'clocksource.*unstable'")
    assert complaints.status == 1, complaints.output


def test_events_tell_of_a_pause(long_running, vms, server):
    listener = vms.process("/tests/unix-cat", long_running.api_path)
    listener.send('{"command": "subscribe"}\n')
    listener.wait_for('"ok":true')
    long_running.api("pause")
    listener.wait_for('{"event":"state","data":{"state":"paused"}}')
    long_running.api("resume")
    listener.wait_for('{"event":"state","data":{"state":"running"}}')


def test_exits_are_counted(long_running):
    before = long_running.api("stats")["exits"]
    long_running.run("echo hello")
    after = long_running.api("stats")["exits"]
    assert after["io"] > before["io"]
    assert all(after[reason] >= count for reason, count in before.items())


def test_wrong_requests_change_nothing(long_running):
    replies = long_running.request("nonsense", '{"command": "explode"}', "[]",
                                   '{"command": "pause", "arguments": {"now": 1}}', '{"command": "state"}')
    assert [reply.get("error", {}).get("code") for reply in replies] == [
        "invalid-json", "unknown-command", "invalid-request", "invalid-arguments", None]
    assert replies[-1]["result"]["state"] == "running"


def test_the_power_button_reaches_the_guest(vms):
    vm = vms.tiny()
    vm.api("powerdown")
    assert vm.wait_exit() == 0
    assert vm.messages() == "bhvm vm: the guest has powered off\n"


def test_a_reset_by_request_starts_the_guest_anew(vms, server):
    server.run("dd if=/dev/zero of=/disk/reset bs=1M count=1 2> /dev/null").check()
    vm = vms.tiny("--cpus", 2, "--disk", "/disk/reset")
    # Busy on a disk, a processor and the console.
    vm.send("while dd if=/dev/zero of=/dev/vda bs=64k count=8 conv=fsync; do :; done\n")
    vm.wait_console("records out")
    vm.api("reset")
    vm.wait_shell()
    assert vm.run("nproc; md5sum < /dev/vda").check().split()[0] == "2"
    # The guest's own way.
    vm.send("reboot -f\n")
    vm.wait_shell()
    vm.power_off()
    assert "the guest resets" in vm.messages()


@pytest.mark.parametrize("end", ["quit", "TERM", "INT"])
def test_a_polite_end_is_immediate(vms, server, end):
    vm = vms.start("--kernel", "/tests/reset.elf", "--cmdline", "flood")
    vm.api("state")
    if end == "quit":
        assert vm.api("quit") == {}
    else:
        vm.signal(end)
    assert vm.wait_exit() == 0
    assert server.run(f"ls {vm.api_path}").status != 0


def test_a_killed_bhvm_leaves_others_running_and_its_disk_free(vms, server):
    server.run("truncate -s 1M /disk/mine").check()
    other = vms.tiny("--name", "other")
    victim = vms.start("--kernel", "/tests/reset.elf", "--cmdline", "flood", "--disk", "/disk/mine")
    victim.api("state")
    refused = server.run("bhvm --kernel /tests/reset.elf --disk /disk/mine < /dev/null")
    assert refused.status == 2 and "in use by another VM" in refused.output
    victim.signal("KILL")
    assert victim.wait_exit() == 128 + 9
    assert other.run("echo alive").check() == "alive\n"
    heir = vms.start("--kernel", "/tests/reset.elf", "--cmdline", "flood", "--disk", "/disk/mine", "--api-socket",
                     victim.api_path, api=False)
    heir.api_path = victim.api_path   # the dead one's socket file was in the way
    assert heir.api("state")["state"] == "running"
