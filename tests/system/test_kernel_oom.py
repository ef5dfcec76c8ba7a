"""Virtual machines with more memory than the server has: one of them ends, the others and the server go on."""

import re

import pytest

from kernel_host import host as emulated_host, neighbour

EQUALS = ("first", "second", "third")

DOCUMENTS = {
    "ann": neighbour("answer"),
    "bob": neighbour("answer"),
    "half": neighbour("touch180", memory="192M"),
    "glutton": neighbour("touch1000", memory="1000M"),
    **{name: neighbour("touch180", memory="192M") for name in EQUALS},
}


@pytest.fixture(scope="module", name="host", params=[1, 2])
def start_host(request, tmp_path_factory):
    with emulated_host(tmp_path_factory.mktemp("host"), DOCUMENTS, cpus=request.param, memory="512M",
                       timeout=600) as host:
        yield host


def has_touched(host, name):
    host.attach(name)
    host.expect("touched it all")
    host.detach()


def test_who_takes_more_than_there_is_ends_alone(host):
    host.start("ann", "half")
    has_touched(host, "half")
    for _ in range(3):
        host.console.send("start glutton\r")
        host.console.expect(r"out of memory: bhvm \(process (\d+), \d+ MiB\) is ended; run less, or give it less")
        ended = host.console.match[1]
        host.expect("glutton: failed: bhvm ended by signal 9 (Killed), not by bhd: where the host's memory had run out, ")
        assert f"started, process {ended}\n" in host.command("log glutton")
        host.works("ann", "half")
    host.start("bob")
    host.works("ann", "half", "bob")
    host.kill("ann", "half", "bob")


def test_of_equals_that_have_more_than_there_is_one_ends(host):
    host.start("ann")
    for name in EQUALS:
        host.command(f"start {name}")
    ends = rf"^({'|'.join(EQUALS)}) +failed: bhvm ended by signal 9"
    [ended] = re.findall(ends, host.until("list", ends), re.M)
    others = [name for name in EQUALS if name != ended]
    for name in others:
        has_touched(host, name)
    host.works("ann", *others)
    host.kill(others[0])
    host.start(ended)
    has_touched(host, ended)
    host.works("ann", ended, others[1])
    host.kill("ann", ended, others[1])
