"""The host daemon as the kernel's first process: its console, its processes, the end of the machine.

Most of its monitors are no monitors (kernel_bhd/probe.c): what is tested here is what the kernel does for bhd.
"""

import json
import re
import shutil

import pytest

from kernel_host import PROMPT, REPOSITORY, Prompt    # and the way to tools/
from emulator import EXIT_RESET, Config, Emulator

MONITOR = REPOSITORY / "build/system/kernel_bhd_probe"
INTERRUPT = "\x03"
RUBOUT = "\x7f"


def document(**keys):
    return json.dumps({"autostart": False, "restart": "never", "cpus": 1, "memory": "64M", **keys})


class Bhd(Prompt):
    timeout = 60

    def until(self, line, text):
        """The answer that has `text`, after asking as often as that takes."""
        return self.match(line, re.escape(text)).string

    def start(self, name):
        """One that will never be more than "starting": it is no monitor."""
        self.console.send(f"start {name}\r")
        self.expect(f"{name}: starting")
        self.console.send(INTERRUPT)
        self.expect(PROMPT)

    def power_off(self):
        self.console.send("poweroff\r")
        assert self.machine.wait(60) == 0


def overlay(folder, documents, monitor=None):
    vms = folder / "etc/bulkhead/vms"
    vms.mkdir(parents=True)
    for name, text in documents.items():
        (vms / f"{name}.json").write_text(text)
    if monitor:
        (folder / "bin").mkdir()
        shutil.copy(monitor, folder / "bin/monitor")
    return folder


@pytest.fixture(scope="module", params=[1, 2], name="bhd")
def start_bhd(request, tmp_path_factory):
    names = ("crash", "leave", "burn", "wait", "hog", "orphans", "flood")
    files = overlay(tmp_path_factory.mktemp("overlay"), {name: document() for name in names}, MONITOR)
    config = Config(os="bulkhead", cpus=request.param, memory="512M", overlays=[files],
                    run="/bin/bhd --bhvm /bin/monitor --stop-timeout 2")
    with Emulator(config) as machine:
        bhd = Bhd(machine)
        bhd.expect(PROMPT)
        yield bhd


def test_the_status_screen_shows_the_host(bhd):
    status = bhd.command("status")
    cpus = bhd.machine.config.cpus
    assert re.search(rf"up 00:00:\d\d, {cpus} CPUs, load \d\.\d\d \d\.\d\d \d\.\d\d, memory \d+M of which \d+M", status)
    assert len(re.findall(r"^\w+ +stopped ", status, re.M)) == 7


def test_a_line_is_edited(bhd):
    bhd.console.send("lisst" + RUBOUT * 2 + "t\r")
    bhd.expect("burn             stopped")
    bhd.expect(PROMPT)
    assert "did you mean `status`?" in bhd.command("statsu")
    assert "expected the name of a VM" in bhd.command("stop")


def test_a_monitor_that_crashes_is_told_and_started_again_by_its_policy(bhd):
    assert "crash: failed: bhvm ended by signal 6" in bhd.until("start crash", "failed")
    assert "this won't go well" in bhd.command("log crash")
    assert "ended by signal 6" in bhd.command("show crash")


def test_a_monitor_that_leaves_has_the_last_word(bhd):
    assert "leave: failed: bhvm ended with status 1: nothing to do here" in bhd.until("start leave", "failed")


def test_processor_time_and_memory_are_counted(bhd):
    bhd.start("burn")
    found = bhd.match("status", r"^burn +starting +\S+ +00:00:0[1-9] +(\d+)M/64M")
    assert 40 <= int(found[1]) <= 60
    bhd.command("kill burn")
    assert "burn             stopped" in bhd.until("list", "burn             stopped")
    assert "ended by signal 9" in bhd.command("log burn")


def test_a_signal_asks_a_monitor_to_end(bhd):
    bhd.start("wait")
    bhd.until("log wait", "waiting")
    bhd.command("stop wait")
    bhd.until("list", "wait             stopped")
    log = bhd.command("log wait")
    assert "asked to end" in log and "ended with status 0" in log


def test_orphans_are_the_first_process_s(bhd):
    bhd.start("orphans")
    bhd.until("log orphans", "orphans are on their own")
    bhd.command("kill orphans")
    assert "ended by signal 9" in bhd.until("log orphans", "ended by signal")


def test_a_flood_of_messages_keeps_nobody_from_working(bhd):
    bhd.start("flood")
    bhd.until("log flood", "line 19999 of very many")
    assert "flood            starting" in bhd.command("list")
    bhd.command("kill flood")


def test_who_takes_all_memory_goes_and_nobody_else(bhd):
    bhd.start("wait")
    bhd.until("log wait", "waiting")
    for _ in range(3):
        bhd.console.send("start hog\r")
        bhd.expect("out of memory: monitor (process ", timeout=120)
        bhd.expect("hog: failed: bhvm ended by signal 9")
        bhd.expect(PROMPT)
    assert "wait             starting" in bhd.command("list")
    bhd.command("kill wait")


def test_starting_and_killing_many_times_takes_no_memory(bhd):
    def available():
        return int(re.search(r"of which (\d+)M available", bhd.command("status"))[1])

    def once():
        bhd.start("wait")
        bhd.command("kill wait")
        bhd.until("list", "wait             stopped")

    once()
    before = available()
    for _ in range(20):
        once()
    assert available() >= before - 1


def test_power_off_ends_all(bhd):
    bhd.start("wait")
    bhd.start("burn")
    bhd.console.send("poweroff\r")
    ends = ["wait: stopped", "burn: stopped"]
    assert {bhd.console.expect_exact(ends, timeout=60) for _ in ends} == {0, 1}    # in any order
    assert bhd.machine.wait(60) == 0


def test_what_bhvm_minds_is_told(tmp_path):
    """The monitor itself, with documents that it can't start from."""
    files = overlay(tmp_path / "overlay", {
        "nowhere": json.dumps({"memory": "16M", "boot": {"kernel": "/nowhere"}}),
        "wrong": json.dumps({"memroy": "1G"}),
        "broken": "{",
    })
    with Emulator(Config(os="bulkhead", memory="512M", overlays=[files])) as machine:
        bhd = Bhd(machine)
        bhd.expect(PROMPT)
        listed = bhd.until("list", "nowhere          failed")
        assert "nowhere          failed: /nowhere: cannot open the kernel: No such file or directory" in listed
        assert 'wrong.json: memroy: unknown key; did you mean "memory"?' in listed
        assert "broken           failed: /etc/bulkhead/vms/broken.json" in listed
        assert "no such VM; did you mean nowhere?" in bhd.command("start nowher")
        bhd.power_off()


def test_a_mistake_in_bhd_s_options_ends_the_machine_with_a_line(tmp_path):
    log = tmp_path / "serial"
    with Emulator(Config(os="bulkhead", memory="512M", run="/bin/bhd --vms", serial=f"file:{log}")) as machine:
        assert machine.wait(60) == EXIT_RESET
    text = log.read_text()
    assert "bhd: error: --vms: expected DIR, found nothing" in text
    assert "the first process has ended with status 2: reset" in text and "PANIC" not in text
