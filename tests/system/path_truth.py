"""path_truth.py: near and far end, a router between them that drops, and what `fleetcap path` makes of the two captures.

    near (10.1.0.2) --- router --- far (10.2.0.2)

The router's own counters are the truth: those of `tc netem` where the kernel has it, else those of an nftables rule that drops at random
in the forward chain (and logs each packet that it drops, so that the packets that are named lost can be looked up). Both ends and the
router are on one machine and one clock: the true offset of the clocks is 0, and whatever is added to the far file's times.
"""
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import lab

FLEETCAP = os.environ["FLEET_BUILD"] + "/bin/fleetcap"
NEAR, FAR, OUTSIDE = "10.1.0.2", "10.2.0.2", "10.2.0.1"
TCP_PORT, UDP_PORT = 5000, 5001
WAYS = ("aToB", "bToA")
TRIES = 4  # a capture on a busy machine may drop; then the experiment is made again


START = time.monotonic()


def that(sentence, holds, *what):
    if not holds:
        sys.exit(f"not ok: {sentence}: {what}")
    print(f"{time.monotonic() - START:5.1f} s ok: {sentence}", flush=True)


# ---- the network


class Network:
    def __init__(self, offloads=True, snat=False, loss=0.0):
        self.near, self.router, self.far = lab.Net("near"), lab.Net("router"), lab.Net("far")
        lab.cable(self.near, "eth0", self.router, "left")
        lab.cable(self.far, "eth0", self.router, "right")
        self.near.ip(f"addr add {NEAR}/24 dev eth0", "route add default via 10.1.0.1")
        self.far.ip(f"addr add {FAR}/24 dev eth0", "route add default via 10.2.0.1")
        self.router.ip("addr add 10.1.0.1/24 dev left", "addr add 10.2.0.1/24 dev right")
        self.router.sysctl("net.ipv4.ip_forward", 1)
        if not offloads:
            for net, interface in ((self.near, "eth0"), (self.far, "eth0"), (self.router, "left"), (self.router, "right")):
                net.plain(interface)
        self.netem = False
        if snat:
            self.nft("table ip translate {", "chain post {", "type nat hook postrouting priority 100;",
                     "oifname right masquerade random", "}", "}")
        if loss:
            self.drop(loss)

    def nft(self, *lines):
        lab.run("ip", "netns", "exec", "router", "nft", "\n".join(lines))

    def drop(self, loss):
        tries = [subprocess.run(["ip", "netns", "exec", "router", "tc", "qdisc", "add", "dev", device, "root", "netem", "loss",
                                 f"{100 * loss}%"], stderr=subprocess.DEVNULL) for device in ("left", "right")]
        self.netem = all(done.returncode == 0 for done in tries)
        if self.netem:
            return
        dice = f"numgen random mod 10000 < {int(10000 * loss)}"
        self.nft("table ip loss {", "counter aToB { }", "counter bToA { }", "chain cross {", "type filter hook forward priority 0;",
                 f"iifname left {dice} counter name aToB log group 5 queue-threshold 1 drop",
                 f"iifname right {dice} counter name bToA log group 5 queue-threshold 1 drop", "}", "}")

    def dropped(self):
        """The truth: packets that the router dropped, by direction."""
        if self.netem:
            return {way: int(re.search(r"dropped (\d+)", lab.run("ip", "netns", "exec", "router", "tc", "-s", "qdisc", "show", "dev",
                                                                  device)).group(1)) for way, device in zip(WAYS, ("right", "left"))}
        said = lab.run("ip", "netns", "exec", "router", "nft", "list", "counters", "table", "ip", "loss")
        return {way: int(re.search(way + r" \{\s*packets (\d+)", said).group(1)) for way in WAYS}

    def end(self):
        for net in (self.near, self.router, self.far):
            lab.run("ip", "netns", "del", net.name)


class Dump:
    """dumpcap: its file says how many packets its ring dropped."""

    def __init__(self, net, name, ring_mib=128):
        self.file = f"{lab.FILES}/{name}.pcapng"
        self.process = net.spawn("dumpcap", "-q", "-i", "eth0", "-B", str(ring_mib), "-w", self.file, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.startswith("File:"):
                return
        sys.exit(f"dumpcap did not start in {net.name}")

    def stop(self):
        lab.has_read_all(self.process, 0.5)  # its ring hands over what it has four times a second
        self.process.send_signal(signal.SIGINT)
        said = self.process.stderr.read()
        self.process.wait()
        return int(re.search(r"dropped on interface .*?: \d+/(\d+)", said).group(1))


class Log:
    """The packets that the router's rule dropped, as they were."""

    def __init__(self, network):
        self.network, self.file = network, f"{lab.FILES}/dropped.pcap"
        # Headers are enough, and many of them find room in its socket.
        self.process = network.router.spawn("tcpdump", "-i", "nflog:5", "-w", self.file, "-U", "-n", "-Z", "root", "-s", "128",
                                            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening on" in line:
                return
        sys.exit("tcpdump does not read the router's log")

    def stop(self):
        """None when it missed some of those that the router counted."""
        lab.has_read_all(self.process, 0.2)
        self.process.send_signal(signal.SIGINT)
        self.process.stderr.read()
        self.process.wait()
        dropped = fields(self.file)
        return dropped if len(dropped) == sum(self.network.dropped().values()) else None


def fields(file):
    """(source, IP identification, sequence number, length, fragment) of each packet."""
    said = lab.run("tshark", "-n", "-r", file, "-T", "fields", "-e", "ip.src", "-e", "ip.id", "-e", "tcp.seq_raw", "-e", "ip.len",
                   "-e", "ip.flags.mf", "-e", "ip.frag_offset")
    rows = [line.split("\t") for line in said.splitlines()]
    return [(*row[:4], row[4] not in ("0", "False") or row[5] != "0") for row in rows]


def pieces(dropped):
    """By how much there are more fragments than datagrams that they are of: a datagram is lost once."""
    ids = [row[:2] for row in dropped if row[4]]
    return {way: sum(row[0] == source for row in ids) - len({row for row in ids if row[0] == source})
            for way, source in zip(WAYS, (NEAR, FAR))}


# ---- traffic


class Far:
    """Takes everything, sends as much back on request, and echoes datagrams."""

    def __init__(self, network):
        self.listener = network.far.socket()
        self.listener.bind((FAR, TCP_PORT))
        self.listener.listen(16)
        self.datagrams = network.far.socket(kind=socket.SOCK_DGRAM)
        self.datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.datagrams.bind((FAR, UDP_PORT))
        for work in (self.accept, self.echo):
            threading.Thread(target=work, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        dice = random.Random(connection.fileno())
        while connection.recv(1 << 18):
            if dice.random() < 0.5:
                connection.sendall(dice.randbytes(dice.randrange(200, 20000)))
        connection.close()

    def echo(self):
        while True:
            try:
                data, peer = self.datagrams.recvfrom(65536)
                self.datagrams.sendto(data[: 100 + data[0]], peer)
            except OSError:
                return

    def end(self):
        self.listener.close()
        self.datagrams.close()


def talk_tcp(network, number, seconds):
    dice = random.Random(number)
    connection = network.near.socket()
    connection.connect((FAR, TCP_PORT))
    drain = threading.Thread(target=lambda: [None for _ in iter(lambda: connection.recv(1 << 18), b"")], daemon=True)
    drain.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        connection.sendall(dice.randbytes(dice.randrange(200, 30000)))
        time.sleep(0.002)
    connection.shutdown(socket.SHUT_WR)
    drain.join(10)
    connection.close()


def talk_udp(network, seconds, fragments):
    dice = random.Random(99)
    sender = network.near.socket(kind=socket.SOCK_DGRAM)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(4):
            # Now and then the same again: a heartbeat.
            sender.sendto(b"\x10heartbeat" if dice.random() < 0.2 else dice.randbytes(dice.randrange(120, 1200)), (FAR, UDP_PORT))
        if fragments:
            sender.sendto(dice.randbytes(4000), (FAR, UDP_PORT))
        time.sleep(0.004)
    sender.close()


def talk(network, seconds, connections=4):
    far = Far(network)
    talks = [threading.Thread(target=talk_tcp, args=(network, number, seconds)) for number in range(connections)]
    talks.append(threading.Thread(target=talk_udp, args=(network, seconds, not network.netem)))
    for thread in talks:
        thread.start()
    for thread in talks:
        thread.join()
    time.sleep(0.4)
    # What comes last is beyond doubt in both windows.
    network.near.spawn("ping", "-q", "-c", "3", "-i", "0.2", FAR, stdout=subprocess.DEVNULL).wait()
    far.end()


# ---- experiments


def path(near, far, *options):
    said = lab.run(FLEETCAP, "path", near, far, "-o", "json", *options)
    return json.loads(said)


def flows(result):
    for conversation in result["conversations"]:
        for way in WAYS:
            if conversation[way] is not None:
                yield way, conversation, conversation[way]


def experiment(seconds, **options):
    """Result, truth, names of the dropped packets (None with netem); captures that dropped nothing."""
    for _ in range(TRIES):
        network = Network(**options)
        log = Log(network) if options.get("loss") and not network.netem else None
        near, far = Dump(network.near, "near"), Dump(network.far, "far")
        talk(network, seconds)
        drops = near.stop() + far.stop()
        dropped = log.stop() if log else None
        is_whole = log is None or dropped is not None
        truth = network.dropped() if options.get("loss") else dict.fromkeys(WAYS, 0)
        for way, more in pieces(dropped or []).items():
            truth[way] -= more
        network.end()
        if drops == 0 and is_whole:
            return path(near.file, far.file), truth, dropped
    sys.exit("not ok: the captures or the router's log dropped packets, time after time")


def check_losses(name, result, truth, dropped):
    recalled = provable = 0
    for way in WAYS:
        total = result["totals"][way]
        doubts = total["notProvable"] - total["reasons"].get("multicast", 0)
        print(f"   {name} {way}: {total['sent']} packets, dropped by the router {truth[way]}, called lost {total['lost']} "
              f"({total['lostAcknowledgements']} bare acknowledgements), not provable {doubts} {total['reasons']}")
        that(f"{name} {way}: nothing is called lost that the router did not drop", total["lost"] <= truth[way], total, truth)
        that(f"{name} {way}: hardly anything is left in doubt", doubts <= 3 + truth[way] / 50, total["reasons"])
        recalled += total["lost"]
        provable += max(truth[way] - doubts, total["lost"])
    that(f"{name}: recall {recalled}/{provable} of provable losses", recalled >= 0.999 * provable)
    check_named(name, result, dropped)


def check_named(name, result, dropped):
    """Packets that are named lost, looked up in the router's log."""
    if dropped is None:
        return
    named = strange = 0
    for way, file in zip(WAYS, ("near", "far")):
        numbers = sorted(lost["frame"] for own, _, flow in flows(result) if own == way for lost in flow["lostFirst"])
        if not numbers:
            continue
        lab.run("editcap", "-r", f"{lab.FILES}/{file}.pcapng", f"{lab.FILES}/named.pcapng", *map(str, numbers))
        for row in fields(f"{lab.FILES}/named.pcapng"):
            # Behind a translator the router's log shows other addresses, and a datagram whole that was in fragments.
            same = (lambda other: other[1] == row[1]) if row[4] else (lambda other: other[1:4] == row[1:4])
            found = any(map(same, dropped))
            named += 1
            strange += not found
    that(f"{name}: each of {named} packets that are named lost is one that the router dropped", strange == 0, strange)


def check_translation(name, result):
    translated = [flow for way, conversation, flow in flows(result) if conversation["translated"] and way == "aToB"]
    seen = [flow for flow in translated if flow["farSource"] and flow["farSource"]["address"] == OUTSIDE]
    that(f"{name}: {len(seen)} conversations were found again behind their translation", len(seen) >= 5)


def check_clock(name, result, offset_ns=0, skew_ppm=0.0):
    clock = result["clock"]
    print(f"   {name}: offset {clock['offsetNs'] - offset_ns} ± {clock['boundNs']} ns from the truth, "
          f"skew {clock['skewPpm'] - skew_ppm:.3f} ± {clock['skewBoundPpm']:.3f} ppm from it")
    that(f"{name}: the clock's offset is within its bound", abs(clock["offsetNs"] - offset_ns) <= clock["boundNs"], clock)
    that(f"{name}: the clock's skew is within its bound", abs(clock["skewPpm"] - skew_ppm) <= clock["skewBoundPpm"], clock)
    that(f"{name}: the bounds say something", clock["boundNs"] < 2_000_000 and clock["skewBoundPpm"] < 300, clock)


def rewrite_times(source, target, change):
    """A pcapng file of dumpcap's, with other times of its packets and counters (nanoseconds: if_tsresol 9)."""
    data = bytearray(open(source, "rb").read())
    at = 0
    while at + 12 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 6:
            high, low = struct.unpack_from("<II", data, at + 12)
            new = change(high << 32 | low)
            struct.pack_into("<II", data, at + 12, new >> 32, new & 0xFFFFFFFF)
        at += size
    open(target, "wb").write(data)
    return target


def other_clocks(result):
    near, far, moved = (f"{lab.FILES}/{name}.pcapng" for name in ("near", "far", "moved"))
    check_clock("as captured", result)
    losses = {way: result["totals"][way]["lost"] for way in WAYS}
    lab.run("editcap", "-t", "-3.214", far, moved)
    shifted = path(near, moved, "--lossless")
    check_clock("by editcap", shifted, offset_ns=-3_214_000_000)
    at = shifted["clock"]["at"]
    base = 1_000_000_000 * int(time.mktime(time.strptime(at[:19], "%Y-%m-%dT%H:%M:%S"))) + int(at[20:29])
    for offset_ns, skew_ppm in ((1_500_000, 40.0), (-250_000_000, -75.0)):
        rewrite_times(far, moved, lambda ns: ns + offset_ns + round((ns - base) * skew_ppm * 1e-6))
        other = path(near, moved, "--lossless")
        moment = other["clock"]["at"]
        then = 1_000_000_000 * int(time.mktime(time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S"))) + int(moment[20:29])
        truth = offset_ns + round((then - base) * skew_ppm * 1e-6)
        check_clock(f"{offset_ns} ns and {skew_ppm} ppm", other, truth, skew_ppm)
        that("another clock does not change what is lost", all(abs(other["totals"][way]["lost"] - losses[way]) <= 1 for way in WAYS),
             losses, other["totals"])


def small_ring(loss):
    """The far capture sleeps while packets come, with a ring that cannot hold them."""
    network = Network(loss=loss)
    log = Log(network) if loss and not network.netem else None
    near, far = Dump(network.near, "near"), Dump(network.far, "far", ring_mib=1)

    def doze():
        time.sleep(0.5)
        os.kill(far_pid(far), signal.SIGSTOP)
        time.sleep(1.3)
        os.kill(far_pid(far), signal.SIGCONT)

    dozing = threading.Thread(target=doze)
    dozing.start()
    talk(network, 2.5)
    dozing.join()
    near.stop()
    dropped = far.stop()
    named = log.stop() if log else None
    truth = network.dropped() if loss else dict.fromkeys(WAYS, 0)
    network.end()
    result = path(near.file, far.file)
    name = f"small ring, loss {loss:g}"
    total = result["totals"]["aToB"]
    print(f"   {name}: the capture dropped {dropped}, the router {truth['aToB']}; called lost {total['lost']}, not provable "
          f"{total['notProvable']} {total['reasons']}")
    that(f"{name}: the ring was too small", dropped > 50, dropped)
    if loss == 0:
        that(f"{name}: nothing is called lost", all(result["totals"][way]["lost"] == 0 for way in WAYS), result["totals"])
        that(f"{name}: the verdict says why", "dropped packets" in result["verdict"] or "acknowledged" in result["verdict"], result["verdict"])
    else:
        that(f"{name}: not more is called lost than was", total["lost"] <= truth["aToB"], total, truth)
        check_named(name, result, named)


def far_pid(dump):
    """dumpcap itself: `ip netns exec` became it."""
    return dump.process.pid


def has_netem():
    network = Network(loss=0.5)
    has = network.netem
    network.end()
    return has


def main():
    long = "--long" in sys.argv
    lab.sandbox()
    os.environ["TZ"] = "UTC"
    time.tzset()
    seconds, loss = (10, 0.01) if long else (4, 0.03)
    print("the router drops by", "netem" if has_netem() else "nftables: this kernel has no netem")
    for name, options in (("plain", {"offloads": True}), ("offloads off, source translated", {"offloads": False, "snat": True}),
                          ("source translated", {"snat": True}), ("offloads off", {"offloads": False})):
        if name in ("source translated", "offloads off") and not long:
            continue
        result, truth, dropped = experiment(seconds, loss=loss, **options)
        print("  ", result["verdict"])
        check_losses(name, result, truth, dropped)
        if options.get("snat"):
            check_translation(name, result)
        if name == "plain":
            other_clocks(result)
    result, truth, dropped = experiment(2)
    that("without loss nothing is called lost", all(result["totals"][way]["lost"] == 0 for way in WAYS), result["verdict"])
    small_ring(0)
    small_ring(0.02)


main()
