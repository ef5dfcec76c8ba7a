"""The programs ask nothing of the operating system that docs/abi.md doesn't list."""

import json
import re
import shlex

import pytest
from support import GUEST_CMDLINE, INITRD, REPOSITORY, VMLINUX

TRACE = "/disk/trace"
STRACE = ("strace", "-f", "-qq")
# Linux as a guest leaves KVM_RUN thousands of times; strace would need minutes. Payloads don't.
ALL_BUT_IOCTLS = (*STRACE, "--seccomp-bpf", "-e", "trace=!ioctl")

SYSTEM_CALLS = r"sed -n 's/^[0-9]* *\([a-z0-9_]*\)(.*/\1/p' /disk/trace* | sort -u"
IOCTLS = r"sed -n 's/^[0-9]* *ioctl([0-9-]*, \([A-Z0-9_a-z ]*[A-Z0-9_a-z]\).*/\1/p' /disk/trace* | sort -u"
DEAD = r"grep -h '+++ killed by' /disk/trace*"

# KVM's requests that are named in the source, but not as requests.
NO_REQUEST = re.compile(r"KVM_(CAP_|EXIT_|IRQ_ROUTING_|IRQFD_|IOEVENTFD_|INTERNAL_|CPUID_|API_VERSION$|\w*_AT$)")


def documented(section, program="bhvm"):
    """The calls in the first column of a program's table."""
    text = (REPOSITORY / "docs/abi.md").read_text(encoding="utf-8")
    tables = text.split(f"\n## {program}\n")[1].split("\n## ")[0]
    table = tables.split(f"\n### {section}\n")[1].split("\n### ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def test_the_document_lists_kvm_requests_of_the_source():
    source = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "vmm").rglob("*.c"))
    named = {name for name in re.findall(r"\bKVM_\w+", source) if not NO_REQUEST.match(name)}
    assert named == {name for name in documented("ioctls") if name.startswith("KVM_")}


def test_bhvm_calls_only_what_the_document_lists(vms, server):
    server.run("cd /disk; rm -f trace*; truncate -s 4M a b; cd /; tunctl -t abi > /dev/null; "
               "brctl addif br0 abi; ip link set abi up").check()
    work_through_everything(vms, server)
    end_on_a_terminal(vms, server)
    make_mistakes(server)

    system_calls = set(server.run(SYSTEM_CALLS).check().split())
    unlisted = system_calls - documented("System calls")
    assert not unlisted, server.run(f"grep -h {' '.join(f'-e {call}(' for call in unlisted)} {TRACE}*").output
    # Where two requests have one number, strace names both.
    requests = [set(line.split(" or ")) for line in server.run(IOCTLS).check().splitlines()]
    assert [names for names in requests if not names & documented("ioctls")] == []
    assert server.run(DEAD).status == 1
    print("not seen:", *sorted(documented("System calls") - system_calls),
          *sorted(documented("ioctls").difference(*requests)))


def work_through_everything(vms, server):
    vm = vms.tiny("--disk", "/disk/a", "--disk", "/disk/b,direct", "--disk", "/dev/vdb,readonly", "--net",
                  "tap=abi", "--cpus", 2, "--console", "unix:/run/abi.console", wait=False,
                  wrapper=(*ALL_BUT_IOCTLS, "-o", f"{TRACE}.linux"))
    console = vms.process("/tests/unix-cat", "/run/abi.console")
    console.wait_for("tiny: ready")
    console.send("stty -echo; ip address add 10.0.0.21/24 dev eth0; ip link set eth0 up\n"
                 "dd if=/dev/urandom of=/dev/vda bs=5k count=100 conv=fsync; md5sum /dev/vda /dev/vdb /dev/vdc\n"
                 "dd if=/dev/urandom of=/dev/vdb bs=64k count=10 conv=fsync\n"
                 "dd if=/dev/hwrng of=/dev/null bs=64 count=1; ping -c 2 10.0.0.1; echo work\"\" is done\n")
    console.wait_for("work is done")
    vm.api("pause")
    vm.api("stats")
    vm.api("resume")
    vm.request("nonsense", '{"command": "config"}', '{"command": "subscribe"}')
    console.kill()
    console = vms.process("/tests/unix-cat", "/run/abi.console")
    console.send("echo here\"\" again\n")
    console.wait_for("here again")
    vm.api("reset")
    console.wait_for("tiny: ready")
    vm.api("powerdown")
    assert vm.wait_exit() == 0


def end_on_a_terminal(vms, server):
    """On a terminal; with resets, and an end by a signal; with every device's ioctls."""
    server.run(f"{' '.join(STRACE)} -o {TRACE}.terminal bhvm --kernel /tests/reset.elf --memory 16M "
               "< /dev/tty1").check()
    vm = vms.start("--kernel", "/tests/reset.elf", "--cmdline", "triple", "--console", "file:/run/abi.log",
                   wrapper=(*STRACE, "-o", f"{TRACE}.reset"))
    vm.wait_for("up", path="/run/abi.log")
    vm.api("pause")
    vm.api("resume")
    server.run("kill -TERM $(pidof bhvm)").check()
    assert vm.wait_exit() == 0
    vm = vms.start("--kernel", "/tests/hostile.elf", "--cmdline", "msix", "--disk", "/disk/a,readonly",
                   "--disk", "/dev/vdb", "--net", "tap=abi", wrapper=(*STRACE, "-o", f"{TRACE}.devices"))
    assert vm.wait_exit() == 0


def make_mistakes(server):
    for number, options in enumerate(("--kernel nowhere", "--version", "--config nowhere",
                                      "--kernel /tests/reset.elf --disk /disk/nowhere",
                                      "--kernel /tests/reset.elf --dump-config")):
        server.run(f"{' '.join(STRACE)} -o {TRACE}.mistake{number} bhvm {options} < /dev/null")


# A file for each process and thread. Threads are bhvm's: bhd has none, and its children are bhd until they are a monitor.
BHD_LINES = r"""
cd /disk; first=$(ls trace.bhd.* | sort -t. -k3n | head -n 1)
for file in trace.bhd.*; do
    grep -q '^execve(' $file || continue
    if [ $file = $first ]; then cat $file; else sed '/^execve(/q' $file; fi
done | sort -u"""
BHD_CALLS = BHD_LINES + r" | sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' | sort -u"
BHD_IOCTLS = BHD_LINES + r" | sed -n 's/^ioctl([0-9]*, \([A-Z0-9_a-z ]*[A-Z0-9_a-z]\).*/\1/p' | sort -u"


def bhd_document(name, **keys):
    text = json.dumps({"memory": "64M", **keys})
    return f"printf %s {shlex.quote(text)} > /disk/vms/{name}.json"


def put_documents(server):
    tiny = {"kernel": VMLINUX, "initrd": INITRD, "cmdline": GUEST_CMDLINE}
    server.run("; ".join([
        "rm -rf /disk/trace* /disk/vms; mkdir -p /disk/vms",
        bhd_document("guest", boot=tiny, memory="128M"),
        bhd_document("brief", boot={"kernel": "/tests/reset.elf"}, restart="never"),
        bhd_document("wrong", boot={"kernel": "/nowhere"}),
        bhd_document("idle", boot=tiny, autostart=False, memory="128M"),
        "echo '{' > /disk/vms/broken.json"])).check()


def use_its_prompt(vms):
    bhd = vms.process(*ALL_BUT_IOCTLS, "-ff", "-o", f"{TRACE}.bhd", "bhd", "--vms", "/disk/vms", "--run-dir",
                      "/run/strace", "--stop-timeout", 60)
    bhd.wait_for("guest: running")
    bhd.send("console guest\n")
    bhd.wait_for("tiny: ready")
    bhd.send("echo to the guest\n\x1d\n")
    bhd.wait_for("left the console")
    for command in ("status", "list", "show guest", "log brief", "pause guest", "resume guest", "start idle", "kill idle",
                    "reload", "nonsense", "stop guest", "start guest"):
        bhd.send(command + "\n")
    bhd.wait_for("nonsense")
    bhd.send("poweroff\npoweroff\n")
    assert bhd.wait_exit() == 0


def end_it_on_a_terminal(server):
    server.run(f"mkdir -p /disk/none; {' '.join(STRACE)} -ff -o {TRACE}.bhd bhd --vms /disk/none --run-dir /run/strace "
               "< /dev/tty1 > /dev/tty1 2>&1 & "
               "until pidof bhd > /dev/null; do usleep 10000; done; usleep 500000; kill -TERM $(pidof bhd); wait").check()


@pytest.mark.long
def test_bhd_calls_only_what_the_document_lists(vms, server):
    put_documents(server)
    use_its_prompt(vms)
    calls = set(server.run(BHD_CALLS).check().split())
    server.run(f"rm {TRACE}.bhd.*").check()
    end_it_on_a_terminal(server)
    calls |= set(server.run(BHD_CALLS).check().split())
    requests = [set(line.split(" or ")) for line in server.run(BHD_IOCTLS).check().splitlines()]
    assert calls - documented("System calls", "bhd") == set()
    assert [names for names in requests if not names & documented("ioctls", "bhd")] == []
    assert {"clone3", "execve", "setsid", "wait4", "connect", "getdents64"} <= calls
    assert {"TCGETS", "TCSETS"} <= set().union(*requests)
    print("not seen:", *sorted(documented("System calls", "bhd") - calls))
