"""What the system tests stand on: an emulated server, processes on it, virtual machines among them.

    server.run("uname -r")                       a command in the server's shell
    process = server.start("unix-cat", "/x")     a process in the background
    vm = vms.tiny(cpus=4)                        a bhvm with the tiny guest, ready for commands
    vm.run("nproc")                              a command in the guest's shell
    vm.api("pause")                              a request to its control socket
    assert vm.wait_exit() == 0

Nothing here sleeps to let something happen: it waits for what it expects, with a generous limit.
"""

from __future__ import annotations

import itertools
import json
import shlex
import string
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, NamedTuple, Optional

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "tools"))

import emulator  # noqa: E402
import pexpect  # noqa: E402

BUILD = REPOSITORY / "build"

# On the server: see mk/tests.mk, where the overlay is put together.
VMLINUX = "/tests/tiny/vmlinux"
BZIMAGE = "/tests/tiny/vmlinuz"
INITRD = "/tests/tiny/initrd"
BLOCK_DEVICE = "/dev/vdb"

TIMEOUT = emulator.TIMEOUT
LIFETIME = 3 * 3600   # seconds, of one server, however slow
TAIL_LINES = 40
SEND_BYTES = 500   # a terminal's line has at most 4096
SEND_PLAIN = string.ascii_letters + string.digits + " .,:;=+-/<>()[]{}|&$\"*?!#@_^~"

GUEST_READY = "tiny: ready"
# Nothing slow, nothing random; no message of the kernel's amid a command's output.
GUEST_CMDLINE = "console=ttyS0 quiet loglevel=1 panic=-1 no_timer_check"


class Result(NamedTuple):
    status: int
    output: str

    def check(self) -> str:
        assert self.status == 0, f"exit status {self.status}:\n{self.output}"
        return self.output


class ServerLost(Exception):
    """The server doesn't answer as it should: it is started anew for the next test."""


class Server:
    """One emulated server, which serves many tests. If one of them breaks it, the next gets a new one."""

    def __init__(self, **config: object):
        self.config = config
        self.machine: Optional[emulator.Emulator] = None
        self.boots = 0
        self._names = itertools.count()
        self._scratch = tempfile.TemporaryDirectory(prefix="bulkhead-")

    def _scratch_disk(self, name: str, size_bytes: int) -> emulator.Disk:
        path = Path(self._scratch.name) / name
        path.unlink(missing_ok=True)
        with open(path, "wb") as image:
            image.truncate(size_bytes)
        return emulator.Disk(path)

    def ensure(self) -> None:
        """Up, with /disk on a real file system and an empty block device, BLOCK_DEVICE."""
        if self.machine:
            return
        config = emulator.Config(
            overlays=[BUILD / "system/overlay", BUILD / "host/strace.cpio"],
            disks=[self._scratch_disk("a", 256 << 20), self._scratch_disk("b", 4 << 20)],
            append="loglevel=1",   # no message of the kernel's amid what a command prints
            timeout=LIFETIME, **self.config)
        machine = emulator.Emulator(config)
        try:
            machine.start()
            emulator.login(machine.console(), TIMEOUT)
        except BaseException:
            machine.kill()
            raise
        self.machine = machine
        self.boots += 1
        self.run("export PATH=$PATH:/tests; mke2fs /dev/vda > /dev/null 2>&1 && "
                 "mkdir /disk && mount /dev/vda /disk").check()

    def stop(self) -> None:
        if self.machine:
            self.machine.kill()
        self.machine = None

    def close(self) -> None:
        self.stop()
        self._scratch.cleanup()

    def run(self, command: str, timeout: float = TIMEOUT) -> Result:
        if not self.machine:
            raise ServerLost("the server is down")
        try:
            return Result(*emulator.run(self.machine.console(), command, timeout))
        except (pexpect.TIMEOUT, pexpect.EOF, OSError) as failure:
            before = str(self.machine.console().before)[-4000:]
            self.stop()
            raise ServerLost(f"no answer to: {command}\nthe server's last words:\n{before}") from failure

    def call(self, *command: object, timeout: float = TIMEOUT) -> Result:
        """The same, for words that are passed as they are."""
        return self.run(shlex.join(map(str, command)), timeout)

    def start(self, *command: object) -> Process:
        directory = f"/run/p{next(self._names)}"
        pid = self.call("/tests/start", directory, *command).check()
        return Process(self, directory, int(pid))

    def read(self, path: str) -> str:
        return self.call("cat", path).check()

    def checksum(self, path: str) -> str:
        return self.run(f"md5sum < {path}").check().split()[0]


class Process:
    """A process on the server, with its input a FIFO and its output and messages in files."""

    def __init__(self, server: Server, directory: str, pid: int):
        self.server = server
        self.boot = server.boots
        self.directory = directory
        self.pid = pid
        self.out = f"{directory}/out"
        self.err = f"{directory}/err"
        self._has_ended = False

    def is_running(self) -> bool:
        if self._has_ended or self.boot != self.server.boots or not self.server.machine:
            return False
        return self.server.run(f"[ ! -e {self.directory}/status ]").status == 0

    def send(self, text: str) -> None:
        for start in range(0, len(text), SEND_BYTES):
            # Escaped: the server's own terminal must not see control characters.
            escaped = "".join(char if char in SEND_PLAIN else f"\\0{ord(char):03o}"
                              for char in text[start:start + SEND_BYTES])
            self.server.run(f"printf %b '{escaped}' 1<> {self.directory}/in").check()

    def wait_for(self, text: str, offset: int = 0, path: str = "", timeout: float = TIMEOUT) -> str:
        """All that it printed behind `offset`, up to the end of the line with `text`."""
        return self._await(path or self.out, offset, text, timeout, self.pid)[1]

    def _await(self, path: str, offset: int, text: str, timeout: float, pid: int) -> tuple[int, str]:
        """The offset behind, and the text."""
        result = self.server.call("/tests/await", path, offset, text, int(timeout), pid, timeout=timeout + 60)
        reason = {1: f"not within {timeout:g} s", 3: "it has ended without"}.get(result.status, "?")
        assert result.status == 0, f"{path}: waited for {text!r}: {reason}"
        end, output = result.output.split("\n", 1)
        return int(end), output.replace("\r", "")

    def signal(self, name: str) -> None:
        self.server.run(f"kill -{name} {self.pid}").check()

    def wait_exit(self, timeout: float = TIMEOUT) -> int:
        status = self._await(f"{self.directory}/status", 0, "", timeout, 0)[1]
        self._has_ended = True
        return int(status)

    def wait_until(self, claim: Callable[[], bool], timeout: float = TIMEOUT) -> None:
        """Until `claim`, which asks the server something, is true."""
        end = time.monotonic() + timeout
        while not claim():
            assert self.is_running(), "it has ended"
            assert time.monotonic() < end, f"not within {timeout:g} s"

    def kill(self) -> None:
        if self.is_running():
            self.server.run(f"kill -9 {self.pid}")
            self.wait_exit()

    def cpu_ticks(self) -> int:
        """Processor time used so far."""
        fields = self.server.read(f"/proc/{self.pid}/stat").rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def tails(self) -> str:
        """For people, when a test has failed."""
        script = "; ".join(f"echo {shlex.quote(f'--- {name}')}; tail -n {TAIL_LINES} {path}"
                           for name, path in (("output", self.out), ("messages", self.err)))
        return self.server.run(script).output


class Vm(Process):
    """A bhvm. Its console is its standard input and output; its control socket is `api_path`."""

    def __init__(self, process: Process, command: list[str], api_path: str):
        super().__init__(process.server, process.directory, process.pid)
        self.command = command
        self.api_path = api_path
        self._offset = 0   # of the console, behind the last command's output

    def wait_ready(self, timeout: float = TIMEOUT) -> None:
        """Until the tiny guest is up."""
        self.wait_console(GUEST_READY, timeout)

    def wait_shell(self) -> None:
        """Until the tiny guest's shell takes commands, of which only the output is printed."""
        self.wait_ready()
        self.run("stty -echo; PS1=; PS2=").check()

    def wait_console(self, text: str, timeout: float = TIMEOUT) -> str:
        """The next lines of the console, up to the one with `text`."""
        self._offset, output = self._await(self.out, self._offset, text, timeout, self.pid)
        return output

    def run(self, command: str, timeout: float = TIMEOUT) -> Result:
        """A command in the tiny guest's shell."""
        marked = emulator.Marked(command)
        self.send(marked.typed)
        output = self.wait_console(marked.end, timeout)
        match = marked.pattern.search(output)
        assert match, f"the guest's shell answered strangely:\n{output}"
        return Result(*marked.answer(match))

    def power_off(self) -> None:
        self.send("poweroff -f\n")
        assert self.wait_exit() == 0

    def request(self, *lines: str) -> list[dict]:
        """The replies to some lines."""
        text = shlex.quote("".join(line + "\n" for line in lines))
        output = self.server.run(f"printf %s {text} | /tests/unix-cat {self.api_path}").check()
        return [json.loads(line) for line in output.splitlines()]

    def api(self, command: str, **arguments: object) -> dict:
        """The result of a command."""
        request = {"command": command} | ({"arguments": arguments} if arguments else {})
        [reply] = self.request(json.dumps(request))
        assert reply["ok"], reply
        return reply["result"]

    def messages(self) -> str:
        return self.server.read(self.err)


class Vms:
    """Starts virtual machines, and ends them all."""

    def __init__(self, server: Server):
        self.server = server
        self.running: list[Process] = []
        self._numbers = itertools.count()

    def start(self, *options: object, wrapper: tuple[str, ...] = (), api: bool = True) -> Vm:
        """bhvm with these options."""
        api_path = f"/run/api{next(self._numbers)}-{id(self):x}"
        command = [*wrapper, "bhvm", *(["--api-socket", api_path] if api else []), *map(str, options)]
        vm = Vm(self.server.start(*command), command, api_path)
        self.running.append(vm)
        return vm

    def tiny(self, *options: object, kernel: str = VMLINUX, memory: str = "128M", cmdline: str = "",
             run: str = "", wait: bool = True, **how: object) -> Vm:
        """bhvm with the tiny guest: running `run`, or ready for Vm.run()."""
        words = f"{GUEST_CMDLINE} {cmdline}" + (f' tiny.run="{run}"' if run else "")
        vm = self.start("--kernel", kernel, "--initrd", INITRD, "--memory", memory, "--cmdline", words,
                        *options, **how)
        if wait:
            vm.wait_ready() if run else vm.wait_shell()
        return vm

    def process(self, *command: object) -> Process:
        process = self.server.start(*command)
        self.running.append(process)
        return process

    def close(self) -> None:
        for process in self.running:
            process.kill()
        self.running.clear()
