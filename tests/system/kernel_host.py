"""What the tests with virtual machines on the kernel share: bhd on an emulated server, told at its prompt what to do.

    with host(folder, {"ann": neighbour("answer")}, cpus=2, memory="512M") as host:
        host.start("ann")
        host.works("ann")               it gets on with its work, and rightly

Guests are mostly the payload tests/guest/neighbour.c, whose words say what it is like.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools"))

from emulator import Config, Emulator  # noqa: E402

TESTS = REPOSITORY / "build/system/overlay"  # has payloads and the tiny guest in /tests
MONITOR = REPOSITORY / "build/system/kernel_mortal_probe"
PROMPT = "bulkhead> "
NOTICE = r"\r?\nbulkhead: [^\r\n]*\r?\n"
DETACH = "\x1d"
TIMEOUT = 120


def neighbour(words, **keys):
    return {"memory": "32M", "autostart": False, "restart": "never",
            "boot": {"kernel": "/tests/neighbour.elf", "cmdline": words}, **keys}


class Prompt:
    """bhd's."""

    timeout = TIMEOUT

    def __init__(self, machine):
        self.machine = machine
        self.console = machine.console()

    def expect(self, text, timeout=None):
        self.console.expect_exact(text, timeout=timeout or self.timeout)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.console.before).replace("\r", "")

    def echo(self, line):
        """What was typed; the kernel may say something meanwhile."""
        self.console.expect(f"({NOTICE})?".join(map(re.escape, line)), timeout=self.timeout)

    def command(self, line):
        """What bhd prints in reply."""
        self.console.send(line + "\r")
        self.echo(line)
        return self.expect(PROMPT)

    def match(self, line, pattern):
        """Asks until the answer has what the pattern says."""
        deadline = time.monotonic() + self.timeout
        while True:
            answer = self.command(line)
            found = re.search(pattern, answer, re.M)
            if found:
                return found
            assert time.monotonic() < deadline, f"`{line}` never said {pattern!r}, at last:\n{answer}"


class Host(Prompt):
    """With virtual machines."""

    def __init__(self, machine):
        super().__init__(machine)
        self.questions = 0
        self.expect(PROMPT)

    def until(self, line, pattern):
        """The answer that has `pattern`, after asking as often as that takes."""
        return self.match(line, pattern).string

    def state(self, name):
        return re.search(rf"^{name} +(\w+)", self.command("list"), re.M)[1]

    def start(self, *names):
        for name in names:
            if self.state(name) != "running":
                self.command(f"start {name}")
                self.until("list", rf"^{name} +running")

    def kill(self, *names):
        for name in names:
            self.command(f"kill {name}")
            self.until("list", rf"^{name} +(stopped|failed)")

    def attach(self, name):
        self.console.send(f"console {name}\r")
        self.expect("Ctrl-] leaves it")

    def detach(self):
        self.console.send(DETACH)
        self.expect(PROMPT)

    def ask(self, name):
        """How many rounds of work a guest has done."""
        self.questions += 1     # old answers are shown again
        self.attach(name)
        self.console.send(f"{self.questions}\r")
        self.console.expect(rf"answer to 0x0*{self.questions:x}: (\w+) after (0x\w+)\r?\n", timeout=TIMEOUT)
        word, rounds = self.console.match.groups()
        self.detach()
        assert word == "right", f"{name} finds other data than it wrote"
        return int(rounds, 16)

    def works(self, *names):
        """Each of them gets on, and correctly."""
        for name in names:
            before = self.ask(name)
            assert self.ask(name) > before, name


def overlay(folder, documents):
    (folder / "etc/bulkhead/vms").mkdir(parents=True)
    (folder / "tests").mkdir()
    shutil.copy(MONITOR, folder / "tests/monitor")
    for name in ("own.img", "shared.img"):
        (folder / "tests" / name).write_bytes(bytes(1 << 20))
    for name, document in documents.items():
        (folder / f"etc/bulkhead/vms/{name}.json").write_text(json.dumps(document))
    return folder


@contextlib.contextmanager
def host(folder, documents, **options):
    """A server with these documents; its monitor is kernel_mortal/probe.c."""
    config = Config(os="bulkhead", overlays=[TESTS, overlay(folder / "overlay", documents)],
                    run="/bin/bhd --bhvm /tests/monitor --stop-timeout 2", **options)
    with Emulator(config) as machine:
        yield Host(machine)
