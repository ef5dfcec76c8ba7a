"""Virtual machines beside one another on the kernel: good and bad neighbours, and what becomes of them."""

import re

import pytest

from kernel_host import host as emulated_host, neighbour

WORKERS = ("ann", "bob", "cem", "dan")

DOCUMENTS = {
    "ann": neighbour("answer", disks=[{"path": "/tests/own.img"}]),
    "bob": neighbour("answer"),
    "cem": neighbour("answer"),
    "dan": neighbour("answer", nets=[{"tap": "dan"}]),
    "thief": neighbour("answer", disks=[{"path": "/tests/own.img"}]),
    "triple": {**neighbour(""), "boot": {"kernel": "/tests/reset.elf", "cmdline": "triple"}},
    "leave": {**neighbour(""), "boot": {"kernel": "/tests/reset.elf", "cmdline": "triple"}, "on_reset": "exit"},
    "spin": neighbour("spin"),
    "spin2": neighbour("spin"),
    "broken": neighbour("broken"),
    "diskhog": neighbour("disk", disks=[{"path": "/tests/shared.img", "readonly": True}]),
    "nethog": neighbour("net", nets=[{"tap": "hog"}]),
    "talker": neighbour("console"),
    "mortal-never": neighbour("answer"),
    "mortal-failure": neighbour("answer", restart="on-failure"),
    "mortal-always": neighbour("answer", restart="always"),
    "off-failure": neighbour("once", restart="on-failure"),
    "off-always": neighbour("once", restart="always"),
}


@pytest.fixture(scope="module", name="host")
def start_host(tmp_path_factory):
    with emulated_host(tmp_path_factory.mktemp("host"), DOCUMENTS, cpus=2, memory="768M", timeout=900) as host:
        yield host


def test_four_work_at_once(host):
    host.start(*WORKERS)
    host.works(*WORKERS)


def test_one_is_killed_while_the_others_work(host):
    host.start(*WORKERS)
    assert "in use by another VM" in host.until("start thief", "failed:")       # ann has the disk
    host.kill("ann")
    host.works("bob", "cem", "dan")
    host.start("thief")
    host.kill("thief")
    host.start("ann")
    host.works(*WORKERS)


def test_a_triple_fault_resets_that_machine(host):
    host.start("bob")
    host.command("start triple")
    host.until("log triple", r"triple fault(.*\n)+.*triple fault")
    host.works("bob")
    host.kill("triple")


def test_a_triple_fault_ends_a_machine_that_is_to_end_at_a_reset(host):
    host.command("start leave")
    host.until("list", r"^leave +stopped")
    assert "the guest has powered off" in host.command("log leave")


def test_guests_that_never_let_go_of_a_cpu(host):
    host.start("spin", "spin2", "ann", "dan")
    host.works("ann", "dan")
    host.command("pause spin")
    host.until("list", r"^spin +paused")
    host.command("resume spin")
    host.until("list", r"^spin +running")
    host.command("stop spin")       # it takes no notice of its power button
    host.until("list", r"^spin +stopped")
    assert "pulling the plug" in host.command("log spin")
    host.kill("spin2")
    host.works("ann", "dan")


@pytest.mark.parametrize("hog", ["diskhog", "nethog", "talker"])
def test_a_flood_leaves_the_others_to_their_work(host, hog):
    host.start("ann", "dan", hog)
    host.works("ann", "dan")
    host.command(f"pause {hog}")
    host.until("list", rf"^{hog} +paused")
    host.works("ann", "dan")
    host.command(f"resume {hog}")
    host.until("list", rf"^{hog} +running")
    host.command(f"stop {hog}")
    host.until("list", rf"^{hog} +stopped")


def test_a_guest_that_nobody_can_carry_on_fails_alone(host):
    host.start("ann")
    failed = host.until("start broken", "failed:")
    assert re.search("broken: failed: bhvm ended with status 1: (?!bhd)", failed), failed
    host.works("ann")


def test_a_monitor_that_is_killed_is_reported(host):
    host.start("ann")
    assert "mortal-never: failed: bhvm ended by signal 9" in host.until("start mortal-never", "failed")
    shown = host.command("show mortal-never")
    assert "ended by signal 9" in shown and "restarts" not in shown and "is started again" not in shown
    host.works("ann")


@pytest.mark.parametrize("name", ["mortal-failure", "mortal-always", "off-always"])
def test_what_ends_is_started_again_where_that_is_wanted(host, name):
    host.command(f"start {name}")
    host.until(f"show {name}", r"^restarts +2")
    log = host.command(f"log {name}")
    assert len(re.findall("started, process", log)) >= 2
    assert ("ended by signal 9" if name.startswith("mortal") else "the guest has powered off") in log
    host.command(f"kill {name}")
    host.until("list", rf"^{name} +stopped")
    assert "is started again" not in host.command(f"show {name}")


def test_a_guest_that_powers_off_is_no_failure(host):
    host.command("start off-failure")
    host.until("list", "^off-failure +stopped")
    assert "restarts" not in host.command("show off-failure")
