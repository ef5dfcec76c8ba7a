"""What the tests that look at the kernel from outside share: a machine with the probe on it, its screen, its symbols.

    with Kernel(folder, "report", cpus=2) as machine:
        machine.wait_for("DONE")          what the serial port printed until then
        machine.screen()                  what the screen shows, as text
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools"))

from emulator import Config, Emulator  # noqa: E402

BUILD = REPOSITORY / "build"
PROBE = BUILD / "system/kernel_boot_probe"
KERNEL = BUILD / "bulkhead.elf"
FONT = BUILD / "gen/screen_font.h"
CELL_WIDTH, CELL_HEIGHT = 8, 16
TIMEOUT = 60


def boot_image(folder: Path) -> Path:
    """A boot image with the probe as its first program."""
    tree, image = folder / "tree", folder / "image.cpio"
    (tree / "sbin").mkdir(parents=True)
    shutil.copy(PROBE, tree / "sbin/init")
    subprocess.run([REPOSITORY / "tools/make-cpio", image, tree], check=True)
    return image


def iso(folder: Path, task: str) -> Path:
    """A CD with the kernel and the probe."""
    path = folder / "probe.iso"
    subprocess.run([REPOSITORY / "tools/make-iso", path, KERNEL, boot_image(folder), "--", *task.split()],
                   check=True, cwd=REPOSITORY)
    return path


def symbols() -> dict[str, int]:
    lines = subprocess.run(["nm", KERNEL], check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
    return {name: int(address, 16) for address, _kind, name in map(str.split, lines)}


def build_id() -> str:
    notes = subprocess.run(["readelf", "-n", KERNEL], check=True, text=True, stdout=subprocess.PIPE).stdout
    match = re.search(r"Build ID: ([0-9a-f]+)", notes)
    assert match, notes
    return match[1]


class Kernel(Emulator):
    """An emulated server that boots the kernel with the probe, by PVH unless `iso` is given."""

    def __init__(self, folder: Path, task: str, **options: object):
        self.folder = folder
        self._printed = bytearray()
        options = {"os": "bulkhead", "memory": "192M", "timeout": TIMEOUT} | options
        if not options.get("iso"):
            options = {"kernel": KERNEL, "append": f"-- {task}", "initrd": boot_image(folder)} | options
        super().__init__(Config(**options))

    def start(self) -> None:
        super().start()
        # Somebody has to read what it prints, or it waits.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while chunk := self._serial.recv(65536):
                self._printed += chunk
        except OSError:
            pass

    def wait(self, timeout=None) -> int:
        status = super().wait(timeout)
        self._reader.join()
        return status

    def output(self) -> str:
        """What the kernel and its programs have printed on the serial port."""
        text = bytes(self._printed).decode(errors="replace").replace("\r", "")
        return text[max(text.rfind("bulkhead: Bulkhead\n"), 0):]

    def wait_for(self, text: str) -> str:
        self._poll(lambda: text in self.output(), lambda: f"{text!r} on the serial port, which had:\n{self.output()}")
        return self.output()

    def _poll(self, claim, what) -> None:
        end = time.monotonic() + TIMEOUT
        while not claim():
            assert self.is_running() or claim(), f"the machine ended without {what()}"
            assert time.monotonic() < end, f"waited in vain for {what()}"
            time.sleep(0.05)

    def send(self, line: str) -> None:
        self._serial.sendall(line.encode() + b"\n")

    def monitor(self, command: str) -> str:
        return self.qmp("human-monitor-command", **{"command-line": command})

    def memory(self, start: int, size: int) -> bytes:
        """Physical memory."""
        path = self.folder / "memory"
        path.unlink(missing_ok=True)
        self.qmp("pmemsave", val=start, size=size, filename=str(path))
        return path.read_bytes()

    def screen(self) -> str:
        """What it shows: letters as they are in VGA's text memory, or recognised by the kernel's own font."""
        path = self.folder / "screen.ppm"
        self.qmp("screendump", filename=str(path))
        words = path.read_bytes().split(maxsplit=4)
        width, height = int(words[1]), int(words[2])
        if height == 400:   # 80 by 25 letters of 9 by 16 dots
            cells = self.memory(0xb8000, 80 * 25 * 2)[::2]
            return "\n".join(cells[row:row + 80].decode("latin-1").rstrip() for row in range(0, 80 * 25, 80))
        return read_pixels(words[4], width, height)

    def wait_for_screen(self, text: str) -> str:
        """Lines that the screen is too narrow for are taken as one."""
        shown = ""

        def is_shown() -> bool:
            nonlocal shown
            shown = self.screen()
            return text in shown.replace("\n", " ").replace("  ", " ") or text in shown.replace("\n", "")
        self._poll(is_shown, lambda: f"{text!r} on the screen, which had:\n{shown}")
        return shown


def font() -> dict[tuple[int, ...], str]:
    rows = re.findall(r"\{ (0x.*) \}", FONT.read_text(encoding="ascii"))
    return {tuple(int(value, 16) for value in row.split(", ")): chr(32 + index) for index, row in enumerate(rows)}


def read_pixels(pixels: bytes, width: int, height: int) -> str:
    letters = font()
    lines = []
    for top in range(0, height - CELL_HEIGHT + 1, CELL_HEIGHT):
        rows = [pixels[3 * width * (top + y):3 * width * (top + y + 1):3] for y in range(CELL_HEIGHT)]
        line = ""
        if not any(map(any, rows)):
            lines.append("")
            continue
        for left in range(0, width - CELL_WIDTH + 1, CELL_WIDTH):
            bitmap = tuple(sum(0x80 >> x for x in range(CELL_WIDTH) if row[left + x]) for row in rows)
            line += letters.get(bitmap, "\N{REPLACEMENT CHARACTER}")
        lines.append(line.rstrip())
    return "\n".join(lines)
