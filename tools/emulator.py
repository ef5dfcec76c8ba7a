"""An emulated x86-64 server in QEMU: what every test, benchmark and demonstration runs on.

    config = Config(os="linux", cpus=2, disks=[Disk.parse("root.img,snapshot")])
    with Emulator(config) as machine:
        console = machine.console()             # a pexpect spawn on the serial port
        console.expect_exact(PROMPT)
        print(run(console, "uname -r").output)
        machine.wait()                          # the payload's exit status

A machine is started once and lives until it powers off, its time limit passes, kill() or the end
of the `with` block; it never outlives the process that started it.  What a person got wrong is a
UserError with one line that says what was expected, what was found and what to do.

How the exit status comes about: a payload writes 16 + status to port 0xf4 (0 <= status <= 111),
which ends the machine; wait() gives the status back.  A plain power-off is 0.  See the EXIT_
constants for the rest, and docs/emulated-server.md for the facts behind the choices made here.
"""

from __future__ import annotations

import ctypes
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, NamedTuple, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))
import newc  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build"

FIXED_QEMU = BUILD / "emulator/bin/qemu-system-x86_64"   # see tools/fix-emulator
# Debian's UEFI for the emulated server: the code, and its variables as they are at first.
UEFI_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
UEFI_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")

EXIT_USER = 2        # a user's mistake
EXIT_TIMEOUT = 124   # the time limit passed and the machine was killed
EXIT_RESET = 125     # the machine reset itself: a panic, a triple fault, `reboot`
EXIT_QEMU = 126      # QEMU itself failed; its message says why
EXIT_PORT_BASE = 16  # what a payload adds to its status; QEMU makes (value << 1) | 1 of it

PROMPT = "host# "    # of the Linux host image's shell
PASSWORD_SECONDS = 30   # until one that wasn't heard is typed again; the guest gives up after 60
TIMEOUT = 300        # seconds for an answer; generous, since what is emulated may share its processors

# tsc=reliable: or Linux drops the TSC as its clock under emulation.  no_timer_check: under load
# Linux now and then panics otherwise.  panic=-1: reset at once, which ends the machine.
LINUX_APPEND = "console=ttyS0 quiet tsc=reliable no_timer_check panic=-1"


class UserError(Exception):
    """Something that the person, or the test, who asked for the machine has to change."""


# --- what a machine is made of ---------------------------------------------------------------


def split_options(text: str, what: str) -> tuple[str, dict[str, str]]:
    """'a,b,c=d' -> ('a', {'b': '', 'c': 'd'})"""
    first, *rest = text.split(",")
    if not first:
        raise UserError(f"{what} '{text}': expected a name before the first comma")
    options = {}
    for option in rest:
        key, _, value = option.partition("=")
        options[key] = value
    return first, options


def reject_unknown(options: dict[str, str], known: Iterable[str], what: str) -> None:
    for key in options:
        if key not in known:
            raise UserError(f"{what}: unknown option '{key}'; known are {', '.join(known)}")


def existing_file(path: Path, what: str, hint: str) -> Path:
    if not path.is_file():
        raise UserError(f"{what} {path}: no such file; {hint}")
    return path


@dataclass
class Disk:
    """A disk of the server.  With `snapshot`, what the server writes is thrown away."""

    path: Path
    bus: str = "virtio"
    readonly: bool = False
    snapshot: bool = False

    BUSES = {"virtio": "virtio-blk-pci", "nvme": "nvme"}

    @classmethod
    def parse(cls, text: str) -> Disk:
        """PATH[,bus=virtio|nvme][,readonly][,snapshot]"""
        what = f"--disk {text}"
        path, options = split_options(text, "--disk")
        reject_unknown(options, ("bus", "readonly", "snapshot"), what)
        bus = options.get("bus", "virtio")
        if bus not in cls.BUSES:
            raise UserError(f"{what}: bus is '{bus}'; expected one of {', '.join(cls.BUSES)}")
        return cls(Path(path), bus, "readonly" in options, "snapshot" in options)

    def image_format(self) -> str:
        with open(self.path, "rb") as image:
            return "qcow2" if image.read(4) == b"QFI\xfb" else "raw"

    def argv(self, index: int) -> list[str]:
        if not (self.path.is_file() or self.path.is_block_device()):
            raise UserError(f"disk {self.path}: no such file or block device; "
                            f"`truncate -s 1G {self.path}` makes an empty one")
        path = str(self.path).replace(",", ",,")
        drive = f"if=none,id=disk{index},file={path},format={self.image_format()}"
        if self.readonly:
            drive += ",readonly=on"
        if self.snapshot:
            drive += ",snapshot=on"
        device = f"{self.BUSES[self.bus]},drive=disk{index}"
        if self.bus == "nvme":
            device += f",serial=disk{index}"
        return ["-drive", drive, "-device", device]


@dataclass
class Nic:
    """A network card: `user` reaches the outside, `cable` one other emulated server, `none` nothing.

    A cable is a Unix socket: the server that listens on it has to be started first.
    """

    kind: str
    path: str = ""
    listen: bool = False
    hostfwd: list[str] = field(default_factory=list)
    gateway: str = ""                 # of `user`'s network, the /24 around it; default: QEMU's own
    model: str = "virtio-net-pci"
    mac: str = ""

    @classmethod
    def parse(cls, text: str) -> Nic:
        """user[,gateway=A][,hostfwd=tcp::HOSTPORT-:PORT], cable=PATH,listen|connect or none; [,model=M][,mac=M]"""
        what = f"--nic {text}"
        kind, *parts = text.split(",")
        kind, _, path = kind.partition("=")
        nic = cls(kind, path)
        for key, _, value in (part.partition("=") for part in parts):
            if key == "hostfwd" and kind == "user":
                nic.hostfwd.append(value)
            elif key == "gateway" and kind == "user" and value:
                nic.gateway = value
            elif key in ("listen", "connect") and kind == "cable" and not value:
                nic.listen = key == "listen"
            elif key in ("model", "mac") and value:
                setattr(nic, key, value)
            else:
                raise UserError(f"{what}: unknown option '{key}'; see --help")
        nic.check(what, parts)
        return nic

    def check(self, what: str, parts: list[str]) -> None:
        if self.kind not in ("user", "cable", "none"):
            raise UserError(f"{what}: expected user, cable=PATH or none")
        if self.kind != "cable":
            return
        if not self.path or ("listen" in parts) == ("connect" in parts):
            raise UserError(f"{what}: expected cable=PATH,listen on one server and "
                            "cable=PATH,connect on the other")
        if len(os.fsencode(self.path)) > 107:
            raise UserError(f"{what}: a Unix socket's path has at most 107 bytes, this one "
                            f"{len(os.fsencode(self.path))}; use a shorter one, below /tmp")

    def address(self, index: int) -> str:
        """A MAC address that repeats from run to run and differs at the two ends of a cable."""
        role = f"{self.path} {self.listen}" if self.kind == "cable" else f"{self.kind} {index}"
        digest = hashlib.sha256(role.encode()).digest()
        return "52:54:00:" + ":".join(f"{byte:02x}" for byte in digest[:3])

    def backend(self, index: int) -> list[str]:
        if self.kind == "user":
            forwards = "".join(f",hostfwd={rule}" for rule in self.hostfwd)
            network = f",net={self.gateway}/24,host={self.gateway}" if self.gateway else ""
            return ["-netdev", f"user,id=net{index}{network}{forwards}"]
        if self.kind == "cable":
            server = "on" if self.listen else "off"
            path = self.path.replace(",", ",,")
            return ["-netdev",
                    f"stream,id=net{index},server={server},addr.type=unix,addr.path={path}"]
        return ["-netdev", f"user,id=net{index},restrict=on"]

    def argv(self, index: int) -> list[str]:
        mac = self.mac or self.address(index)
        # romfile= : no network boot ROM, which would cost the firmware time.
        device = f"{self.model},netdev=net{index},mac={mac},romfile="
        return self.backend(index) + ["-device", device]

    def wait_for_listener(self, deadline: float) -> None:
        if self.kind != "cable" or self.listen:
            return
        while not os.path.exists(self.path):
            if time.monotonic() > deadline:
                raise UserError(f"cable {self.path}: nobody listens there; "
                                f"start the server with --nic cable={self.path},listen first")
            time.sleep(0.05)


@dataclass
class Config:
    """Everything that decides how a server is started; see tools/machine --help for the meaning."""

    os: str = "linux"
    cpus: int = 1
    memory: str = "2G"
    kernel: Optional[Path] = None
    initrd: Optional[Path] = None
    append: str = ""                  # added to the operating system's own command line
    run: str = ""                     # the main job, instead of a shell (Linux) or bhd (Bulkhead)
    overlays: list[Path] = field(default_factory=list)
    disks: list[Disk] = field(default_factory=list)
    nics: list[Nic] = field(default_factory=list)
    firmware: str = "bios"            # or uefi
    iso: Optional[Path] = None        # boots from this CD; then it has the kernel
    screen: bool = False              # a VGA adapter, which only the monitor protocol looks at
    exit_port: bool = True            # a payload's way to end the machine with a status
    serial: str = "console"           # console (for Emulator.console()), stdio, file:P, unix:P
    serial_log: Optional[Path] = None  # a copy of all that the serial port printed
    cpu: str = ""                     # default: host with hardware acceleration, else max
    count: bool = False
    tcg_threads: str = "single"
    timeout: float = 600
    gdb: int = 0                      # TCP port; 0: none
    trace: str = ""                   # QEMU's -d items
    trace_file: Optional[Path] = None
    qemu: str = ""                    # default: FIXED_QEMU; Debian's, where that wasn't made
    extra: list[str] = field(default_factory=list)   # further QEMU arguments


# --- the choices -----------------------------------------------------------------------------


def find_qemu(config: Config) -> str:
    name = config.qemu or (str(FIXED_QEMU) if FIXED_QEMU.exists() else "qemu-system-x86_64")
    found = shutil.which(name)
    if not found:
        raise UserError(f"--qemu {name}: no such program; "
                        "tools/ensure-packages installs Debian's qemu-system-x86")
    return found


def has_hardware_virtualization() -> bool:
    """Whether KVM runs guests on the CPU here.

    That /dev/kvm opens is not enough: there are kernels that then emulate an unmodified guest
    instruction by instruction, a hundred times slower than QEMU's own emulation.
    """
    flags: set[str] = set()
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("flags"):
                flags = set(line.split(":", 1)[1].split())
                break
    return bool(flags & {"svm", "vmx"}) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def check(config: Config) -> None:
    if config.os not in ("linux", "bulkhead", "none"):
        raise UserError(f"--os {config.os}: expected linux, bulkhead or none")
    if not 1 <= config.cpus <= 255:
        raise UserError(f"--cpus {config.cpus}: expected 1 to 255")
    if config.count and config.cpus != 1:
        raise UserError(f"--count with --cpus {config.cpus}: instructions are counted on one CPU; "
                        "leave --cpus out")
    if not re.fullmatch(r"[1-9][0-9]*[MG]", config.memory):
        raise UserError(f"--memory {config.memory}: expected a number with M or G, like 512M")
    if config.firmware not in ("bios", "uefi"):
        raise UserError(f"--firmware {config.firmware}: expected bios or uefi")
    if config.iso and (config.kernel or config.initrd or config.append or config.run or config.overlays):
        raise UserError(f"--iso {config.iso}: it has its own kernel, command line and boot image; "
                        "leave out --kernel, --initrd, --append, --run and --overlay, and make another by "
                        "tools/make-iso")
    if config.tcg_threads not in ("single", "multi"):
        raise UserError(f"--tcg-threads {config.tcg_threads}: expected single or multi")
    if not config.timeout > 0:
        raise UserError(f"--timeout {config.timeout}: expected a number of seconds above 0")


def accelerator_argv(config: Config) -> list[str]:
    if config.count:
        return ["-accel", "tcg,tb-size=512", "-icount", "shift=0,sleep=off", "-seed", "1",
                "-rtc", "base=2025-01-01,clock=vm", "-cpu", config.cpu or "max"]
    if has_hardware_virtualization():
        return ["-accel", "kvm", "-cpu", config.cpu or "host"]
    return ["-accel", f"tcg,thread={config.tcg_threads},tb-size=512", "-cpu", config.cpu or "max"]


def boot_files(config: Config) -> tuple[Optional[Path], Optional[Path]]:
    if config.os == "none" or config.iso:
        return config.kernel, config.initrd
    if config.os == "bulkhead":
        default_kernel, default_initrd, target = "bulkhead.elf", "bulkhead.cpio", "make kernel boot-image"
    else:
        default_kernel, default_initrd, target = ("host/vmlinux", "host/initrd.cpio",
                                                  "make host-image")
    hint = f"`{target}` builds it"
    kernel = config.kernel or existing_file(BUILD / default_kernel, "kernel", hint)
    # A kernel of one's own does not get our initrd.
    initrd = config.initrd
    if not initrd and not config.kernel:
        initrd = existing_file(BUILD / default_initrd, "initrd", hint)
    return kernel, initrd


def command_line(config: Config) -> str:
    words = [LINUX_APPEND] if config.os == "linux" else []
    if config.append:
        words.append(config.append)
    if config.run and config.os == "bulkhead":
        # The program takes the place of bhd as the first process; its arguments stand behind a lone "--".
        program, _, rest = config.run.partition(" ")
        words += [f"init={program}", *(["--", rest] if rest else [])]
    elif config.run:
        if '"' in config.run:
            raise UserError(f"--run {config.run}: a double quote can't be passed; "
                            "put a script on the server with --overlay and run that")
        words.append(f'bulkhead.run="{config.run}"')
    return " ".join(words)


def combine(initrd: Optional[Path], overlays: Iterable[Path], directory: Path) -> Optional[Path]:
    """`initrd` with the overlays appended, as a file in `directory`."""
    overlays = list(overlays)
    if not overlays:
        return initrd
    combined = directory / "initrd"
    with open(combined, "wb") as out:
        if initrd:
            newc.append_archive(out, initrd)
        for overlay in overlays:
            if overlay.is_dir():
                newc.append_tree(out, overlay)
            else:
                existing_file(overlay, "--overlay", "expected a directory or a cpio archive")
                newc.append_archive(out, overlay)
    return combined


PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """In QEMU's process, before QEMU: end with the process that started it, however that ends."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


# --- the machine -----------------------------------------------------------------------------


class Emulator:
    """One emulated server.  Use it as a context manager: leaving the block kills it."""

    def __init__(self, config: Config):
        self.config = config
        self.process: Optional[subprocess.Popen[bytes]] = None
        self.timed_out = False
        self._directory = tempfile.TemporaryDirectory(prefix="machine-")
        self._serial: Optional[socket.socket] = None
        self._serial_far: Optional[socket.socket] = None
        self._qmp: Optional[socket.socket] = None
        self._watchdog: Optional[threading.Timer] = None
        self._console = None

    def __enter__(self) -> Emulator:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.kill()

    # Starting

    def argv(self) -> list[str]:
        """QEMU's command line; checks the configuration and the files it names."""
        config = self.config
        check(config)
        argv = [find_qemu(config), "-name", "bulkhead-server", "-machine", "q35",
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        argv += accelerator_argv(config)
        argv += ["-smp", str(config.cpus), "-m", config.memory]
        if config.exit_port:
            argv += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        if config.screen:
            argv += ["-vga", "std"]
        argv += self._firmware_argv() + self._boot_argv()
        for index, disk in enumerate(config.disks):
            argv += disk.argv(index)
        for index, nic in enumerate(config.nics):
            argv += nic.argv(index)
        argv += self._serial_argv() + self._debug_argv()
        return argv + config.extra

    def _firmware_argv(self) -> list[str]:
        if self.config.firmware == "bios":
            return []
        argv = []
        variables = Path(self._directory.name) / "uefi-variables"
        shutil.copyfile(existing_file(UEFI_VARIABLES, "--firmware uefi:", "Debian's ovmf package has it"),
                        variables)
        for path, options in ((existing_file(UEFI_CODE, "--firmware uefi:", "Debian's ovmf package has it"),
                               ",readonly=on"), (variables, "")):
            argv += ["-drive", f"if=pflash,format=raw,file={path}{options}"]
        return argv

    def _cd_argv(self) -> list[str]:
        iso = existing_file(self.config.iso, "--iso", "`make iso` makes build/bulkhead.iso")
        path = str(iso).replace(",", ",,")
        return ["-drive", f"if=none,id=cd,media=cdrom,readonly=on,format=raw,file={path}",
                "-device", "ide-cd,drive=cd,bootindex=0"]

    def _boot_argv(self) -> list[str]:
        config = self.config
        kernel, initrd = boot_files(config)
        for path, option in ((kernel, "--kernel"), (initrd, "--initrd")):
            if path:
                existing_file(path, option, "check the path")
        initrd = combine(initrd, config.overlays, Path(self._directory.name))
        if config.iso:
            return self._cd_argv()
        if not kernel:
            if initrd or config.append:
                raise UserError("--initrd, --overlay and --append need a --kernel to go with")
            return []
        argv = ["-kernel", str(kernel), "-append", command_line(config)]
        return argv + (["-initrd", str(initrd)] if initrd else [])

    def _serial_argv(self) -> list[str]:
        kind, _, path = self.config.serial.partition(":")
        escaped = path.replace(",", ",,")
        if kind == "console":
            self._serial, self._serial_far = socket.socketpair()
            chardev = f"socket,id=serial,fd={self._serial_far.fileno()}"
        elif kind == "stdio" and sys.stdin.isatty():
            # Ctrl-A x ends the machine, Ctrl-A c switches to QEMU's monitor.
            chardev = "stdio,id=serial,mux=on,signal=off"
        elif kind == "stdio":
            chardev = "stdio,id=serial,signal=off"
        elif kind == "file" and path:
            chardev = f"file,id=serial,path={escaped}"
        elif kind == "unix" and path:
            chardev = f"socket,id=serial,path={escaped},server=on,wait=off"
        else:
            raise UserError(f"--serial {self.config.serial}: expected stdio, file:PATH or unix:PATH")
        if self.config.serial_log:
            chardev += ",logfile=" + str(self.config.serial_log).replace(",", ",,")
        argv = ["-chardev", chardev, "-serial", "chardev:serial"]
        return argv + (["-mon", "chardev=serial"] if "mux=on" in chardev else [])

    def _debug_argv(self) -> list[str]:
        argv = []
        if self.config.gdb:
            argv += ["-gdb", f"tcp:127.0.0.1:{self.config.gdb}", "-S"]
        if self.config.trace:
            argv += ["-d", self.config.trace]
        if self.config.trace_file:
            argv += ["-D", str(self.config.trace_file)]
        return argv

    def start(self) -> None:
        """Start it; from a thread that stays, because the machine ends when that thread does."""
        argv = self.argv()
        for nic in self.config.nics:
            nic.wait_for_listener(time.monotonic() + 60)
        self._qmp, far = socket.socketpair()
        argv += ["-chardev", f"socket,id=qmp,fd={far.fileno()}", "-mon", "chardev=qmp,mode=control"]
        handed = [far] + ([self._serial_far] if self._serial_far else [])
        stdio = self.config.serial == "stdio"
        try:
            self.process = subprocess.Popen(
                argv, preexec_fn=die_with_parent,
                stdin=None if stdio else subprocess.DEVNULL,
                stdout=None if stdio else subprocess.DEVNULL,
                pass_fds=[end.fileno() for end in handed])
        finally:
            for end in handed:
                end.close()
        self._qmp.sendall(b'{"execute": "qmp_capabilities"}\n')
        self._watchdog = threading.Timer(self.config.timeout, self._time_is_up)
        self._watchdog.daemon = True
        self._watchdog.start()

    def _time_is_up(self) -> None:
        if self.process and self.process.poll() is None:
            self.timed_out = True
            print(f"machine: killed: still running after {self.config.timeout:g} s "
                  "(--timeout)", file=sys.stderr, flush=True)
            self.process.kill()

    # Using

    def console(self):
        """The serial port as a pexpect spawn (needs `serial="console"`, the default)."""
        import pexpect.fdpexpect  # Debian's python3-pexpect; only the tests need it

        if self._console is None:
            if self._serial is None:
                raise UserError(f"the serial port is '{self.config.serial}'; "
                                "start the machine with serial=\"console\" to talk to it")
            self._console = pexpect.fdpexpect.fdspawn(
                self._serial, timeout=TIMEOUT, encoding="utf-8", codec_errors="replace")
        return self._console

    def qmp(self, command: str, **arguments: object) -> object:
        """Ask QEMU itself, by its machine protocol; for tests that pull a plug."""
        assert self._qmp is not None
        tag = f"{time.monotonic_ns()}"
        request = {"execute": command, "arguments": arguments, "id": tag}
        self._qmp.sendall(json.dumps(request).encode() + b"\n")
        with self._qmp.makefile("r", encoding="utf-8") as replies:
            for reply in map(json.loads, replies):
                if reply.get("id") == tag:
                    if "error" in reply:
                        raise RuntimeError(f"{command}: {reply['error']['desc']}")
                    return reply["return"]
        raise RuntimeError(f"{command}: the machine ended")

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    # Ending

    def wait(self, timeout: Optional[float] = None) -> int:
        """Wait for the end (at most until the time limit) and return the exit status.

        With `timeout`, a machine that runs for that many seconds more is killed: EXIT_TIMEOUT.
        """
        assert self.process is not None, "not started"
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.timed_out = True
            self.process.kill()
            self.process.wait()
        return self._exit_status()

    def kill(self) -> None:
        """End the machine now, as by its power plug; does nothing when it has ended."""
        if self._watchdog:
            self._watchdog.cancel()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for end in (self._serial, self._qmp):
            if end:
                end.close()
        self._directory.cleanup()

    def _exit_status(self) -> int:
        assert self.process is not None
        code = self.process.returncode
        if self.timed_out:
            return EXIT_TIMEOUT
        if code < 0:
            return 128 - code
        if code & 1 and code >> 1 >= EXIT_PORT_BASE:
            return (code >> 1) - EXIT_PORT_BASE
        if code:
            return EXIT_QEMU
        return EXIT_RESET if self._did_reset() else 0

    def _did_reset(self) -> bool:
        """Whether the machine went down because it was reset; QEMU's last words say so."""
        assert self._qmp is not None
        words = b""
        self._qmp.settimeout(1)
        try:
            while chunk := self._qmp.recv(65536):
                words += chunk
        except OSError:
            pass
        return b'"guest-reset"' in words


# --- talking to shells on a serial port --------------------------------------------------------


class Result(NamedTuple):
    status: int
    output: str


def login(console, timeout: float = TIMEOUT) -> None:
    """Wait for the Linux image's shell and make it easy to parse: no echo, no line editing."""
    console.expect_exact(PROMPT, timeout=timeout)
    console.sendline("stty -echo cols 1000")
    console.expect_exact(PROMPT, timeout=timeout)


def type_password(console, shell_prompt: str, timeout: float) -> None:
    """At the question for root's password in a Debian guest: type it until there is a shell.

    Having asked, PAM of bookworm turns the echo off and with that drops what was typed by then: one that waits
    for the question is fast enough to lose all of it, or half. Should the shell get the second one, it knows no
    such command.
    """
    import pexpect

    end = time.monotonic() + timeout
    while True:
        console.sendline("\x15bulkhead")   # Ctrl-U: not behind half of the one before
        patterns = [shell_prompt, "Login incorrect", pexpect.TIMEOUT]
        seen = console.expect_exact(patterns, timeout=PASSWORD_SECONDS)
        if seen == 0:
            return
        if time.monotonic() > end:
            raise pexpect.TIMEOUT(f"no {shell_prompt!r} within {timeout:g} s")
        if seen == 1:
            console.expect_exact("login: ", timeout=timeout)
            console.sendline("root")
            console.expect_exact("Password: ", timeout=timeout)


def login_debian(console, name: str, timeout: float = 3 * TIMEOUT) -> None:
    """Log in to the Debian guest `name` at its prompt; run() then works as in the Linux image."""
    console.expect_exact(f"{name} login: ", timeout=timeout)
    console.sendline("root")
    console.expect_exact("Password: ", timeout=timeout)
    type_password(console, f"root@{name}:~# ", timeout)
    # In two pieces, so that the echo of this line isn't taken for the prompt.
    console.sendline(f"stty -echo cols 1000; export NO_COLOR=1; PS1='{PROMPT[:2]}''{PROMPT[2:]}'")
    console.expect_exact(PROMPT, timeout=timeout)


_marks = itertools.count(1)


class Marked:
    """A command as it is typed, and how its answer is told from everything else on the line.

    A shell reads to the end of a list before it runs any of it. So whatever the terminal and the line editor
    echo of this comes before `=begin N;`, and nothing that was typed is left for the command to read. The
    marks are typed in two pieces, or their echo would be taken for them. N: an answer that comes too late
    isn't taken for the next command's.
    """

    def __init__(self, command: str, redirection: str = ""):
        mark = next(_marks)
        self.typed = f'echo "=""begin {mark};"; {{ :\n{command}\n}} {redirection}; echo "=""end {mark}: $?"\n'
        self.end = f"=end {mark}: "   # in the answer's last line
        # A guest's console inside the server's passes two terminals: each adds a carriage return.
        self.pattern = re.compile(rf"=begin {mark};\r*\n(.*?){self.end}(\d+)\r*\n", re.DOTALL)

    @staticmethod
    def answer(match: re.Match) -> Result:
        """What `pattern` has found."""
        return Result(int(match[2]), re.sub(r"\r+\n", "\n", match[1]))


def run(console, command: str, timeout: float = TIMEOUT) -> Result:
    """Run `command` in the shell that login() prepared; its output (stdout and stderr) and exit status.

    It has no standard input: the terminal's isn't for it.
    """
    marked = Marked(command, "< /dev/null")
    console.send(marked.typed)
    console.expect(marked.pattern, timeout=timeout)
    result = marked.answer(console.match)
    console.expect_exact(PROMPT, timeout=timeout)
    return result
