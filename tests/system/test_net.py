"""virtio-net: two guests and their host on a bridge."""

import pytest

MTU = 1400


@pytest.fixture(scope="module")
def guests(emulated_server, module_vms):
    """Two guests, 10.0.0.11 and 10.0.0.12; the second is offered a smaller MTU."""
    emulated_server.ensure()
    # A bridge likes the lowest of its ports' addresses best.
    for tap, address in (("tapa", "02:00:00:00:00:02"), ("tapb", "02:00:00:00:00:01")):
        emulated_server.run(f"tunctl -t {tap} > /dev/null && ip link set {tap} address {address} && "
                            f"brctl addif br0 {tap} && ip link set {tap} up").check()
    pair = [module_vms.tiny("--name", "a", "--net", "tap=tapa,mac=52:54:00:00:00:0a", wait=False),
            module_vms.tiny("--name", "b", "--net", f"tap=tapb,mtu={MTU}", "--cpus", 2, wait=False)]
    for number, vm in enumerate(pair):
        vm.wait_shell()
        vm.run(f"ip address add 10.0.0.1{number + 1}/24 dev eth0; ip link set eth0 up").check()
    return pair


def test_the_interface_is_as_configured(guests):
    assert guests[0].run("cat /sys/class/net/eth0/address").check().strip() == "52:54:00:00:00:0a"
    assert guests[0].run("cat /sys/class/net/eth0/mtu").check().strip() == "1500"
    assert guests[1].run("cat /sys/class/net/eth0/mtu").check().strip() == str(MTU)
    assert guests[1].run("cat /sys/class/net/eth0/carrier").check().strip() == "1"


def test_guests_reach_each_other_and_their_host(guests):
    for peer in ("10.0.0.12", "10.0.0.1"):
        output = guests[0].run(f"ping -c 3 -W 30 {peer}").check()
        assert "3 packets received" in output


@pytest.mark.parametrize("sender, receiver", [(0, 1), (1, 0)])
def test_a_tcp_transfer_arrives_whole_in_large_segments(guests, sender, receiver):
    source, sink = guests[sender], guests[receiver]
    before = source.api("stats")["devices"]["net0"]
    source.run("dd if=/dev/urandom of=/tmp/sent bs=1M count=8 2> /dev/null; httpd -p 5000 -h /tmp").check()
    sink.run(f"wget -q -O /tmp/received http://10.0.0.1{sender + 1}:5000/sent").check()
    assert source.run("md5sum < /tmp/sent") == sink.run("md5sum < /tmp/received")

    after = source.api("stats")["devices"]["net0"]
    frames = after["tx_frames"] - before["tx_frames"]
    transferred = after["tx_bytes"] - before["tx_bytes"]
    assert transferred >= 8 << 20
    # Larger than any packet on a wire: segments were left whole, and so were their checksums open.
    assert transferred / frames > 1514
    assert after["tx_dropped"] == before["tx_dropped"]


def test_offloads_are_negotiated(guests):
    features = guests[0].run("cat /sys/bus/virtio/devices/virtio0/features").check()
    on = {index for index, bit in enumerate(features.strip()) if bit == "1"}
    # CSUM, GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, HOST_TSO4, HOST_TSO6, MRG_RXBUF
    assert on >= {0, 1, 7, 8, 11, 12, 15}


def test_an_interface_that_goes_away_leaves_the_guest_running(guests, server):
    guests[0].run("ping -c 1 -W 30 10.0.0.1").check()
    before = server.read("/sys/class/net/br0/address")
    # bhvm holds its tap, so that tunctl doesn't do.
    server.run("ip link delete tapb").check()
    guests[1].wait_for("the host's interface is gone", path=guests[1].err)
    assert guests[1].run("echo still here").check() == "still here\n"
    # The other one still knows where its host is.
    assert server.read("/sys/class/net/br0/address") == before
    guests[0].run("ping -c 1 -W 30 10.0.0.1").check()
