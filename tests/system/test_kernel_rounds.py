"""Virtual machines started and ended in a row, in every way there is: kernel_rounds/probe.c. The kernel has lost nothing then."""

import shutil
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools"))

from emulator import Config, Emulator  # noqa: E402

TESTS = REPOSITORY / "build/system/overlay"
PROBE = REPOSITORY / "build/system/kernel_rounds_probe"
TIMEOUT = 280


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_a_hundred_in_a_row(cpus, tmp_path):
    tree, log = tmp_path / "tree", tmp_path / "serial"
    (tree / "tests").mkdir(parents=True)
    (tree / "sbin").mkdir()
    (tree / "tests/own.img").write_bytes(bytes(1 << 20))
    shutil.copy(PROBE, tree / "tests/rounds")
    config = Config(os="bulkhead", cpus=cpus, memory="512M", overlays=[TESTS, tree], run="/tests/rounds 100",
                    serial=f"file:{log}", timeout=TIMEOUT)
    with Emulator(config) as machine:
        status = machine.wait(TIMEOUT)
    printed = log.read_bytes().decode(errors="replace").replace("\r", "")
    assert status == 0 and "100 rounds: all is well" in printed, printed[-6000:]
