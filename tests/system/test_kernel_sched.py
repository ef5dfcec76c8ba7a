"""Processors' time among threads that never sleep, as guests are that compute: kernel_boot/probe.c, "compute"."""

import re

import pytest

from kernel_support import Kernel


@pytest.fixture(scope="module", params=[1, 2, 4])
def computed(request, tmp_path_factory):
    with Kernel(tmp_path_factory.mktemp("kernel"), "compute", cpus=request.param) as machine:
        machine.wait_for("DONE")
        return request.param, machine.output()


def test_time_goes_to_all_alike(computed):
    """The emulator's processors don't get the same time themselves, and the kernel can't know: hence the leeway."""
    _cpus, output = computed
    shares = [int(ran) for ran in re.search(r"^SHARES (.*)$", output, re.M)[1].split()]
    assert len(shares) == 5 and max(shares) < 3 * min(shares), output


def test_no_processor_idles_while_two_share_another(computed):
    cpus, output = computed
    left = [(int(ran), int(passed)) for ran, passed in re.findall(r"^LEFT (\d+) (\d+)$", output, re.M)]
    assert len(left) == 8, output
    ran, passed = (sum(column) for column in zip(*left))
    assert ran > 0.9 * passed * min(cpus, 2), output
