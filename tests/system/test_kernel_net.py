"""The kernel's network: taps, the bridge between them, and network cards as its way out."""

import ctypes
import fcntl
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tools"))

from emulator import Config, Emulator, Nic  # noqa: E402

BUILD = REPOSITORY / "build"
PROBE = BUILD / "system/kernel_net_probe"
KERNEL = BUILD / "bulkhead.elf"

# As in kernel_net/probe.c.
WIRE = bytes.fromhex("5254000000ee")
TAP = bytes.fromhex("525400000101")
TEST_TYPE = struct.pack(">H", 0x88b5)
MEETING = b"\xff" * 6 + TAP + TEST_TYPE + b"\xff\xff"
ANSWER = TAP + WIRE + TEST_TYPE + bytes(46)
PAYLOAD, SEGMENT, TCP_BYTES = 30000, 1400, 20
FIN, PSH, CWR = 1, 8, 0x80

LAST_STAGE = 3

WAIT_SECONDS = 60
GATEWAY = "10.0.0.1"


class Wire:
    """The other end of a card's cable: a datagram is a frame."""

    def __init__(self, folder: Path, number: int):
        # A Unix socket's path is short.
        self.here, self.there = (Path(os.path.relpath(folder)) / f"{side}{number}" for side in "ab")
        self.number = number
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.here))
        self.socket.settimeout(WAIT_SECONDS)

    def argv(self, *options: str) -> list[str]:
        backend = (f"dgram,id=net{self.number},local.type=unix,local.path={self.there},"
                   f"remote.type=unix,remote.path={self.here}")
        return ["-netdev", backend, "-device", ",".join(
            (f"virtio-net-pci,netdev=net{self.number},id=card{self.number},romfile=", *options))]

    def receive(self) -> bytes:
        """The next frame that isn't a call that was answered."""
        while (frame := self.socket.recv(65536)).startswith(MEETING):
            pass
        return frame

    def meet(self) -> None:
        while not self.socket.recv(65536).startswith(MEETING):
            pass
        self.send(ANSWER)

    def send(self, frame: bytes) -> None:
        self.socket.sendto(frame, str(self.there))


@pytest.fixture
def folder():
    """Short enough for sockets in it."""
    path = Path(f"/tmp/bulkhead-net-{os.getpid()}")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    yield path
    shutil.rmtree(path)


def machine(folder: Path, tasks: list[str], extra: list[str], cpus: int = 2) -> Emulator:
    overlay = folder / "root"
    for place in ("sbin", "etc"):
        (overlay / place).mkdir(parents=True)
    shutil.copy(PROBE, overlay / "sbin/init")
    (overlay / "etc/tasks").write_text("".join(task + "\n" for task in tasks))
    return Emulator(Config(os="bulkhead", kernel=KERNEL, overlays=[overlay], memory="512M", cpus=cpus,
                           serial=f"file:{folder}/serial", timeout=240, extra=extra))


def output_of(folder: Path) -> str:
    text = (folder / "serial").read_text(encoding="utf-8", errors="replace").replace("\r", "")
    print(text)
    assert "DONE\n" in text and "PANIC" not in text
    assert "FAIL" not in text
    return text


def internet_sum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data + data[:len(data) % 2]) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_tap_reaches_the_outside_through_the_card(folder, cpus):
    card = Nic("user", gateway=GATEWAY)
    with machine(folder, [f"gateway 10.0.0.11 {GATEWAY}"], card.argv(0), cpus) as server:
        assert server.wait() == 0
    output = output_of(folder)
    assert "PASS gateway: the gateway tells its address\n" in output
    assert "PASS gateway: the gateway answers echo requests\n" in output


def test_a_flood_leaves_the_others_their_share(folder):
    """And a machine without any card is fine."""
    with machine(folder, ["fair"], []) as server:
        assert server.wait() == 0
    assert output_of(folder).count("PASS fair") == 3


class Stream:
    """TCP segments as they come, checked one by one."""

    def __init__(self) -> None:
        self.payload = b""
        self.sequence = 0xfffff000
        self.count = 0

    def add(self, tcp: bytes, pseudo: bytes) -> None:
        assert internet_sum(pseudo + struct.pack(">HH", 6, len(tcp)) + tcp) == 0xffff
        assert struct.unpack(">I", tcp[4:8])[0] == self.sequence
        flags = tcp[13]
        data = tcp[TCP_BYTES:]
        is_first, is_last = not self.payload, len(self.payload) + len(data) == PAYLOAD
        assert len(data) == SEGMENT or is_last
        assert bool(flags & CWR) == is_first
        assert bool(flags & FIN) == bool(flags & PSH) == is_last
        self.payload += data
        self.sequence = self.sequence + len(data) & 0xffffffff
        self.count += 1

    def is_whole(self) -> bool:
        if len(self.payload) < PAYLOAD:
            return False
        assert self.payload == bytes((i * 11 + (i >> 8)) & 0xff for i in range(PAYLOAD))
        return True


def add_ipv4(stream: Stream, packet: bytes) -> None:
    assert packet[0] == 0x45 and internet_sum(packet[:20]) == 0xffff
    assert struct.unpack(">H", packet[2:4])[0] == len(packet)
    assert struct.unpack(">H", packet[4:6])[0] == 0xfffe + stream.count & 0xffff
    stream.add(packet[20:], packet[12:20])


def add_ipv6(stream: Stream, packet: bytes) -> None:
    assert packet[0] == 0x60 and packet[6] == 6
    assert struct.unpack(">H", packet[4:6])[0] == len(packet) - 40
    stream.add(packet[40:], packet[8:40])


@pytest.mark.parametrize("options", [(), ("mrg_rxbuf=off",), ("event_idx=off",), ("rx_queue_size=256", "tx_queue_size=256")])
def test_large_frames_are_cut_for_a_card_that_does_not_do_it(folder, options):
    wire = Wire(folder, 0)
    with machine(folder, ["segments"], wire.argv(*options)) as server:
        wire.meet()
        streams = {0x0800: (Stream(), add_ipv4), 0x86dd: (Stream(), add_ipv6)}
        while not all(stream.is_whole() for stream, _ in streams.values()):
            frame = wire.receive()
            assert frame[:6] == WIRE and frame[6:12] == TAP and len(frame) <= 1514
            stream, add = streams[struct.unpack(">H", frame[12:14])[0]]
            add(stream, frame[14:])
        wire.send(ANSWER)
        assert server.wait() == 0
    output_of(folder)


# Of bytes that are nobody's: too short, too long, or for nobody here.
NO_FRAMES = [1, 13, 14, 59, 1515, 1600, 4096, 9000, 60000, 65535]


def test_frames_of_all_sizes_come_and_go(folder):
    wire = Wire(folder, 0)
    sizes = [*range(60, 80), 500, 1499, 1500, 1513, 1514]
    with machine(folder, [f"echo {len(sizes)}"], wire.argv()) as server:
        wire.meet()
        for size in NO_FRAMES:
            wire.send(os.urandom(size))
        for size in sizes:
            sent = TAP + WIRE + TEST_TYPE + os.urandom(size - 14)
            wire.send(sent)
            back = wire.receive()
            assert back[:14] == WIRE + TAP + sent[12:14] and back[14:] == sent[14:]
        wire.send(ANSWER)
        assert server.wait() == 0
    output_of(folder)


# --- a card that takes large frames, and gives them ---

CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454ca, 0x400454d0, 0x400454d8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 1, 2, 4
HEADER = struct.Struct("<BBHHHH")   # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
NEEDS_CSUM, GSO_TCPV4, GSO_TCPV6 = 1, 1, 4


class TapWire:
    """A tap of Linux's that shares a bridge of Linux's with the card's: frames have virtio-net headers."""

    def __init__(self) -> None:
        commands = ["link add br0 type bridge mcast_snooping 0"]
        for tap in ("card", "wire"):
            commands += [f"tuntap add {tap} mode tap vnet_hdr", f"link set {tap} master br0"]
        for device in ("br0", "card", "wire"):
            commands += [f"link set {device} addrgenmode none up"]
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True)
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        fcntl.ioctl(self.fd, TUNSETVNETHDRSZ, struct.pack("i", HEADER.size))
        fcntl.ioctl(self.fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

    def argv(self, *options: str) -> list[str]:
        return ["-netdev", "tap,id=net0,ifname=card,script=no,downscript=no,vhost=off",
                "-device", ",".join(("virtio-net-pci,netdev=net0,romfile=", *options))]

    def receive_any(self) -> tuple[tuple[int, ...], bytes]:
        assert select.select([self.fd], [], [], WAIT_SECONDS)[0], "nothing on the wire"
        got = os.read(self.fd, 70000)
        return HEADER.unpack_from(got), got[HEADER.size:]

    def receive(self) -> tuple[tuple[int, ...], bytes]:
        """The next frame that isn't a call that was answered, nor Linux's own."""
        header, frame = self.receive_any()
        while frame.startswith(MEETING) or frame[6:12] != TAP:
            header, frame = self.receive_any()
        return header, frame

    def meet(self) -> None:
        while not self.receive_any()[1].startswith(MEETING):
            pass
        self.send((0,) * 6, ANSWER)

    def send(self, header: tuple[int, ...], frame: bytes) -> None:
        os.write(self.fd, HEADER.pack(*header) + frame)


def in_own_network(function, *arguments) -> None:
    """Call it in a thread that has a network of its own, as what it starts does."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "unshare")
            function(*arguments)
        except BaseException as failure:  # pylint: disable=broad-except
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def payload() -> bytes:
    return bytes((i * 11 + (i >> 8)) & 0xff for i in range(PAYLOAD))


def large_ipv4() -> bytes:
    """Its TCP checksum is the pseudo header's."""
    tcp_bytes = TCP_BYTES + PAYLOAD
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + tcp_bytes, 1, 0, 64, 6, 0, bytes([10, 0, 0, 2]), bytes([10, 0, 0, 1]))
    ip = ip[:10] + struct.pack(">H", ~internet_sum(ip) & 0xffff) + ip[12:]
    pseudo = internet_sum(ip[12:] + struct.pack(">HH", 6, tcp_bytes))
    tcp = struct.pack(">HHIIBBHHH", 2000, 1000, 0, 0, 5 << 4, 0x10, 1000, pseudo, 0)
    return TAP + WIRE + b"\x08\0" + ip + tcp + payload()


def send_large_frames(folder: Path, options: tuple[str, ...]) -> None:
    wire = TapWire()
    with machine(folder, ["segments"], wire.argv(*options)) as server:
        wire.meet()
        for network_bytes, gso_type in ((20, GSO_TCPV4), (40, GSO_TCPV6)):
            header, frame = wire.receive()
            start = 14 + network_bytes
            assert (header[:2], header[3:]) == ((NEEDS_CSUM, gso_type), (SEGMENT, start, 16))
            assert frame[start + TCP_BYTES:] == payload()
        wire.send((0,) * 6, ANSWER)
        assert server.wait() == 0
    output_of(folder)


def receive_large_frames(folder: Path, options: tuple[str, ...]) -> None:
    wire = TapWire()
    with machine(folder, ["large"], wire.argv(*options)) as server:
        wire.meet()
        for _ in range(2):
            wire.receive()
            wire.send((NEEDS_CSUM, GSO_TCPV4, 54, SEGMENT, 34, 16), large_ipv4())
        assert server.wait() == 0
    assert output_of(folder).count("PASS large") == 4


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes networks")


@needs_root
def test_large_frames_go_out_whole_where_the_card_cuts_them(folder):
    in_own_network(send_large_frames, folder, ())


@needs_root
@pytest.mark.parametrize("options", [("rx_queue_size=1024",), ("event_idx=off",)])
def test_large_frames_come_in_whole_from_a_card_that_joins_them(folder, options):
    in_own_network(receive_large_frames, folder, options)


class Answers(threading.Thread):
    """Answers what the probe calls on one wire, and keeps what it heard."""

    def __init__(self, wire: Wire):
        super().__init__(daemon=True)
        self.wire = wire
        self.heard: list[int] = []
        self.stage = -1
        self.has_gone_on = threading.Event()

    def run(self) -> None:
        while True:
            try:
                frame = self.wire.receive()
            except OSError:
                return
            if frame[12:14] != TEST_TYPE or frame[6:12] == WIRE:
                continue
            self.heard.append(frame[15])
            if frame[15] == self.stage:
                self.wire.send(TAP + WIRE + frame[12:14] + bytes([self.stage]) + bytes(45))
            elif frame[15] == self.stage + 1:
                self.has_gone_on.set()

    def answer(self, stage: int) -> None:
        """Until the probe is at the next one."""
        self.has_gone_on.clear()
        self.stage = stage
        assert self.has_gone_on.wait(WAIT_SECONDS)


def test_the_second_card_stands_in_for_the_first(folder):
    wires = [Wire(folder, number) for number in range(2)]
    with machine(folder, ["links"], wires[0].argv() + wires[1].argv()) as server:
        first, second = (Answers(wire) for wire in wires)
        first.start()
        second.start()
        first.answer(0)
        assert not second.heard, "one uplink is in use at a time"
        server.qmp("set_link", name="card0", up=False)
        second.answer(1)
        server.qmp("set_link", name="card0", up=True)
        first.answer(2)
        first.stage = LAST_STAGE
        assert server.wait() == 0
    output = output_of(folder)
    assert "eth0: the cable is out" in output and "eth0: the cable is in" in output
    assert 0 not in second.heard


def test_two_guests_reach_each_other_and_the_outside(folder):
    card = Nic("user", gateway=GATEWAY)
    server = machine(folder, ["guests"], card.argv(0), cpus=1)
    (folder / "root/guest").mkdir()
    (folder / "root/tmp").mkdir()
    shutil.copy(BUILD / "bhvm", folder / "root/sbin/bhvm")
    for name in ("vmlinux", "initrd"):
        shutil.copy(BUILD / "guests/tiny" / name, folder / "root/guest" / name)
    server.config.memory = "1G"
    with server:
        assert server.wait() == 0
    output = output_of(folder)
    sums = re.findall(r"^([AB]) ([0-9a-f]{32})", output, re.MULTILINE)
    assert [name for name, _ in sums] == ["A", "B"] and sums[0][1] == sums[1][1]
    assert "3 packets transmitted, 3 packets received" in output
    received = re.search(r"^B  *eth0: *([0-9]+) +([0-9]+)", output, re.MULTILINE)
    # Larger than any frame on a wire.
    assert int(received[1]) / int(received[2]) > 1514


class DeafWire:
    """Connects a cable and never takes anything from it."""

    def __init__(self, folder: Path):
        path = folder / "deaf"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.path = path

    def argv(self) -> list[str]:
        return ["-netdev", f"stream,id=deaf,server=off,addr.type=unix,addr.path={self.path}",
                "-device", "virtio-net-pci,netdev=deaf,romfile="]


@pytest.mark.long
def test_a_card_that_does_not_send_is_reset_and_then_given_up(folder):
    deaf, wire = DeafWire(folder), Wire(folder, 1)
    with machine(folder, ["stall"], deaf.argv() + wire.argv()) as server:
        wire.meet()
        assert server.wait() == 0
    output = output_of(folder)
    assert output.count("eth0: it doesn't send: it is reset") == 4
    assert "eth0: doesn't work any more (error 5): given up" in output
