"""The host daemon at work: two guests and a bad document on one server, told what to do at its prompt."""

import json
import shutil
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools"))

from emulator import Config, Emulator  # noqa: E402

TINY = REPOSITORY / "build" / "guests" / "tiny"
PROMPT = "bulkhead> "
DETACH = "\x1d"   # Ctrl-]


def document(**keys):
    return json.dumps({"memory": "128M", "boot": {"kernel": "/tiny/vmlinuz", "initrd": "/tiny/initrd",
                                                  "cmdline": "console=ttyS0 quiet"}, **keys})


class Bhd:
    """bhd's prompt."""

    def __init__(self, machine):
        self.machine = machine
        self.console = machine.console()

    def expect(self, text, timeout=300):
        self.console.expect_exact(text, timeout=timeout)

    def command(self, line):
        """What bhd prints in reply."""
        self.console.sendline(line)
        self.expect(line)
        self.expect(PROMPT)
        return self.console.before.replace("\r", "")

    def await_state(self, name, state):
        """After a command: bhd tells each change by itself."""
        self.expect(f"{name}: {state}")

    def attach(self, name):
        self.console.sendline(f"console {name}")
        self.expect(f"console of {name}; Ctrl-] leaves it")

    def detach(self):
        self.console.send(DETACH)
        self.expect(PROMPT)

    def is_alive(self, name, mark):
        """Whether the guest's shell computes: the mark must not be on the console yet."""
        self.attach(name)
        self.console.sendline(f"echo {mark}$((6 * 7))")
        self.expect(f"{mark}42")
        self.detach()


@pytest.fixture(scope="module", name="bhd")
def start_bhd(tmp_path_factory):
    overlay = tmp_path_factory.mktemp("overlay")
    vms = overlay / "etc/bulkhead/vms"
    vms.mkdir(parents=True)
    (overlay / "tiny").mkdir()
    for name in ("vmlinuz", "initrd"):
        shutil.copy(TINY / name, overlay / "tiny" / name)
    (vms / "first.json").write_text(document())
    (vms / "second.json").write_text(document(name="other", restart="always"))
    (vms / "third.json").write_text(document(autostart=False))
    (vms / "wrong.json").write_text(document(memroy="1G"))
    with Emulator(Config(run="/bin/bhd", append="loglevel=1", overlays=[overlay], timeout=3600)) as machine:
        bhd = Bhd(machine)
        bhd.expect(PROMPT)
        yield bhd


def test_guests_with_autostart_come_up(bhd):
    for name in ("first", "other"):
        bhd.attach(name)
        bhd.expect("tiny# ")
        bhd.detach()
    listed = bhd.command("list").split("\n")
    assert [line.split() for line in listed if line.startswith(("first", "other", "third"))] == [
        ["first", "running"], ["other", "running"], ["third", "stopped"]]


def test_a_bad_document_says_what_is_wrong(bhd):
    assert 'wrong.json: memroy: unknown key; did you mean "memory"?' in bhd.command("list")


def test_the_status_screen_shows_the_host_and_what_guests_use(bhd):
    status = bhd.command("status")
    assert "1 CPUs" in status
    first = next(line for line in status.split("\n") if line.startswith("first")).split()
    assert first[1] == "running"
    assert first[4].endswith("/128M") and not first[4].startswith("0/")


def test_a_console_takes_keys_and_shows_its_history(bhd):
    bhd.is_alive("first", "answer-")
    bhd.attach("first")
    bhd.expect("answer-42")
    bhd.detach()


def test_a_paused_guest_stands_still_and_goes_on(bhd):
    bhd.console.sendline("pause first")
    bhd.await_state("first", "paused")
    bhd.expect(PROMPT)
    bhd.console.sendline("resume first")
    bhd.await_state("first", "running")
    bhd.expect(PROMPT)
    bhd.is_alive("first", "resumed-")


def test_killing_one_leaves_the_other_running(bhd):
    bhd.console.sendline("start third")
    bhd.await_state("third", "running")
    bhd.expect(PROMPT)
    bhd.console.sendline("kill third")
    bhd.await_state("third", "stopped")
    bhd.expect(PROMPT)
    assert "ended by signal 9" in bhd.command("log third")
    bhd.is_alive("first", "alone-")


def test_the_policy_starts_a_guest_again_and_its_console_stays(bhd):
    bhd.attach("other")
    bhd.console.sendline("poweroff -f")
    bhd.expect("[bhd] other is stopped")
    bhd.expect("[bhd] other is running")
    bhd.expect("tiny# ")
    bhd.detach()
    assert "restarts   1" in bhd.command("show other")


def test_stop_presses_the_power_button_and_is_final(bhd):
    bhd.console.sendline("stop other")
    bhd.await_state("other", "stopped")
    bhd.expect(PROMPT)
    assert "ended with status 0" in bhd.command("log other")
    assert "pulling the plug" not in bhd.command("log other")
    assert "other            stopped" in bhd.command("list")


def test_mistakes_are_named(bhd):
    assert "frist: no such VM; did you mean first?" in bhd.command("start frist")
    assert "expected the name of a VM" in bhd.command("stop")
    assert "did you mean `status`?" in bhd.command("statsu")


def test_poweroff_ends_guests_and_server(bhd):
    bhd.console.sendline("poweroff")
    bhd.expect("first: stopped")
    bhd.expect("exit-status: 0")
    assert bhd.machine.wait(300) == 0
