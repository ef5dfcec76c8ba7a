"""Who watches a guest's serial port may come late, be slow and leave."""

BACKLOG_BYTES = 64 << 10
FLOOD = ("--kernel", "/tests/reset.elf", "--memory", "16M", "--cmdline", "flood")


def test_a_socket_keeps_the_newest_output_for_whoever_comes(vms, server):
    vm = vms.tiny("--console", "unix:/run/console", wait=False)
    first = vms.process("/tests/unix-cat", "/run/console")
    first.wait_for("tiny: ready")
    first.send("stty -echo; ((until [ -e /go ]; do usleep 10000; done; seq 12000) &)\n")
    first.send("echo ready\"\" to go\n")
    first.wait_for("ready to go")
    second = vms.process("/tests/unix-cat", "/run/console")
    second.wait_for("bhvm: another client is on this console")
    assert second.wait_exit() == 0

    first.send("touch /go; sleep 1000\n")
    first.wait_for("50")
    first.kill()
    # Nobody is there: the guest goes on all the same, and what it says last is kept.
    vm.wait_until(lambda: vm.api("stats")["console"]["dropped_bytes"] > 0)
    third = vms.process("/tests/unix-cat", "/run/console")
    numbers = third.wait_for("12000").split()[1:]   # the first may have lost digits
    assert numbers == [str(12001 - left) for left in range(len(numbers), 0, -1)]
    # All that is kept for it, and what came since.
    assert int(server.run(f"stat -c %s {third.out}").check()) >= BACKLOG_BYTES


def test_a_reader_that_stops_does_not_stop_the_guest(vms):
    vm = vms.start(*FLOOD, "--console", "unix:/run/slow")
    reader = vms.process("/tests/unix-cat", "/run/slow")
    reader.wait_for("payload: up")
    reader.signal("STOP")
    vm.wait_until(lambda: vm.api("stats")["console"]["dropped_bytes"] > 0)
    assert vm.api("state")["state"] == "running"
    reader.signal("CONT")
    before = vm.server.run(f"stat -c %s {reader.out}").check()
    reader.wait_for("0123456789", int(before))


def test_a_file_is_appended_to(vms, server):
    server.run("echo earlier > /run/console.log").check()
    vm = vms.start("--kernel", "/tests/reset.elf", "--memory", "16M", "--cmdline", "power-off", "--console",
                   "file:/run/console.log")
    assert vm.wait_exit() == 0
    assert server.read("/run/console.log") == "earlier\npayload: up\npayload: done\n"


def test_input_reaches_the_guest_in_order(vms):
    vm = vms.tiny()
    text = "".join(chr(ord("a") + i % 26) for i in range(3000))
    vm.send("cat > /tmp/typed; wc -c < /tmp/typed\n")
    vm.send("\n".join(text[i:i + 60] for i in range(0, len(text), 60)) + "\n\x04")
    vm.wait_console(str(len(text) + len(text) // 60))
    typed = vm.run("cat /tmp/typed").check()
    assert typed.replace("\n", "") == text
