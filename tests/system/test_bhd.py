"""The host daemon at work: two guests and a bad document on one server, told what to do at its prompt."""

import json
import shutil
import time

import pexpect
import pytest

from kernel_host import DETACH, PROMPT, REPOSITORY, Prompt    # and the way to tools/
from emulator import Config, Emulator, login, run

TINY = REPOSITORY / "build" / "guests" / "tiny"


def document(**keys):
    return json.dumps({"memory": "128M", "boot": {"kernel": "/tiny/vmlinuz", "initrd": "/tiny/initrd",
                                                  "cmdline": "console=ttyS0 quiet"}, **keys})


class Bhd(Prompt):
    timeout = 300

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


def fill_overlay(overlay, **documents):
    vms = overlay / "etc/bulkhead/vms"
    vms.mkdir(parents=True)
    (overlay / "tiny").mkdir()
    for name in ("vmlinuz", "initrd"):
        shutil.copy(TINY / name, overlay / "tiny" / name)
    for name, text in documents.items():
        (vms / f"{name}.json").write_text(text)
    return overlay


@pytest.fixture(scope="module", name="bhd")
def start_bhd(tmp_path_factory):
    overlay = fill_overlay(tmp_path_factory.mktemp("overlay"), first=document(), wrong=document(memroy="1G"),
                           second=document(name="other", restart="always"), third=document(autostart=False))
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


def test_the_next_bhd_adopts_what_a_killed_one_has_left(tmp_path):
    overlay = fill_overlay(tmp_path, first=document(), idle=document(autostart=False))
    with Emulator(Config(append="loglevel=1", overlays=[overlay], timeout=900)) as machine:
        bhd = Bhd(machine)
        login(bhd.console)
        run(bhd.console, "bhd > /tmp/log 2>&1 & echo $! > /tmp/bhd.pid\n"
                         "until grep -q 'first: running' /tmp/log; do sleep 1; done", timeout=300)
        second = run(bhd.console, "bhd")
        assert second.status == 2 and "another bhd runs with it" in second.output, second
        monitor = run(bhd.console, "kill -9 $(cat /tmp/bhd.pid); pidof bhvm").output.strip()
        assert monitor.isdigit()
        bhd.console.sendline("bhd")
        bhd.expect("first: running")
        bhd.expect(PROMPT)
        assert f"adopted, process {monitor}" in bhd.command("log first")
        bhd.attach("first")
        end = time.monotonic() + 300   # it may be booting, and what it printed was for the bhd before
        while bhd.console.expect_exact(["adopted-42", pexpect.TIMEOUT], timeout=5):
            assert time.monotonic() < end
            bhd.console.sendline("echo adopted-$((6 * 7))")
        bhd.detach()
        bhd.console.sendline("stop first")
        bhd.await_state("first", "stopped")
        bhd.console.sendline("start first")
        bhd.await_state("first", "running")
        bhd.console.sendline("poweroff")
        bhd.await_state("first", "stopped")
