"""Programs that misuse the KVM API, and whatever else they reach (kernel_abuse/probe.c): the kernel refuses, and goes on."""

import shutil
import subprocess

import pytest

from kernel_support import BUILD, KERNEL, REPOSITORY, Kernel

PROBE = BUILD / "system/kernel_abuse_probe"
PATIENCE_S = 120


@pytest.mark.parametrize("seed, seconds", [(1, 8), *(pytest.param(seed, 60, marks=pytest.mark.long) for seed in (2, 3))])
def test_random_calls(seed, seconds, tmp_path):
    tree, image = tmp_path / "abuse", tmp_path / "abuse.cpio"
    for folder in ("sbin", "tmp"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(PROBE, tree / "sbin/init")
    subprocess.run([REPOSITORY / "tools/make-cpio", image, tree], check=True)
    with Kernel(tmp_path, "", kernel=KERNEL, append=f"-- {seed} {seconds}", initrd=image, cpus=2,
                memory="512M", timeout=seconds + PATIENCE_S) as machine:
        status = machine.wait(seconds + PATIENCE_S)
        output = machine.output()
    assert status == 0, output[-4000:]
    assert "all is well" in output and "FAILED" not in output and "PANIC" not in output, output[-4000:]
