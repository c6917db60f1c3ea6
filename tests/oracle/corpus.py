"""corpus.py: captures of what goes wrong in networks, made by real stacks in namespaces: one cell per file, all cells at the same time.

A cell is a client and a server with a cable (lab.Wire: a bad one) between them, and tcpdump on the client. What tshark cannot say of a
scenario (in which phase it was meant to fail) the scenario itself says with cell.expect.
"""
import os
import socket
import ssl
import struct
import threading
import time

import dnsd
import lab
import tls_scenarios
from cell import Cell, read_all, tcp_stories, together, tolerant
from lab import Net, Wire, cable


class Tcp4(Cell):
    def traffic(self):
        self.capture("cooked", self.client, "any", "-s", "65535")  # as its ring has a place of that size for each packet
        self.capture("short", self.client, "eth0", "-s", "90")
        tcp_stories(self, socket.AF_INET)


class Tcp6(Cell):
    def traffic(self):
        tcp_stories(self, socket.AF_INET6)


class Vlan(Cell):
    """Two cables, and between them a trunk on which the frames carry a tag: that is where the capture is."""

    def connect_nets(self):
        self.trunk_a, self.trunk_b = Net("vlan-ta"), Net("vlan-tb")
        self.wires = [Wire("vlan-w1", self.client, "eth0", self.trunk_a, "eth0", "ab:vlan=7"),
                      Wire("vlan-w2", self.server, "eth0", self.trunk_b, "eth0", "ab:vlan=7")]
        # The trunk itself is a third cable between the far ends of the two.
        for net in (self.trunk_a, self.trunk_b):
            net.ip("link set eth0 promisc on")
        self.trunk = Net("vlan-t")
        for net, name in ((self.trunk_a, "left"), (self.trunk_b, "right")):
            cable(net, "eth1", self.trunk, name)
            net.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set eth0 master br0", "link set eth1 master br0",
                   "link set br0 up")
        self.trunk.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set left master br0",
                      "link set right master br0", "link set br0 up")
        for net, v4, v6 in ((self.client, self.v4[0], self.v6[0]), (self.server, self.v4[1], self.v6[1])):
            net.ip(f"address add {v4}/24 dev eth0", f"address add {v6}/64 dev eth0 nodad")

    def capture(self, *arguments):
        super().capture(*(arguments or (None, self.trunk, "left")))

    def traffic(self):
        tcp_stories(self, socket.AF_INET)


class Filtered(Cell):
    wire_options = ("port=8100",)

    def traffic(self):
        def attempt(family):
            return lambda: self.fails(lambda: self.connect(8100, family, timeout=3.6))

        def keep_alive():
            self.listen(8101, lambda connection: time.sleep(8))
            opened = self.connect(8101)
            opened.sendall(b"x")
            for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1)):
                opened.setsockopt(socket.IPPROTO_TCP, option, value)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            time.sleep(3.3)
            opened.close()

        together(attempt(socket.AF_INET), attempt(socket.AF_INET6), keep_alive)
        self.expect(8100, tcp__outcome="noAnswer")


class Tls(Cell):
    versions = None

    def traffic(self):
        tls_scenarios.all_of(self, self.versions)


class Tls12(Tls):
    versions = ssl.TLSVersion.TLSv1_2


class Tls13(Tls):
    versions = ssl.TLSVersion.TLSv1_3


class Dns(Cell):
    """Questions by a client that speaks for itself, and by the C library's resolver."""

    def traffic(self):
        brain = dnsd.Brain()
        self.client.ip("route add 10.66.0.0/16 via 10.9.0.2")  # where nobody is
        self.server.ip("address add 10.9.0.3/24 dev eth0")
        for address in (self.v4[1], self.v6[1]):
            dnsd.start(self.server.socket, address, brain)
        works = [self.ask(name, family=family) for name in (
            "ok", "servfail", "nxdomain", "refused", "formerr", "notimp", "empty", "slow300", "slow1500", "big", "tc", "silent", "drop1",
        ) for family in (socket.AF_INET, socket.AF_INET6)]
        works.append(self.library)
        works.append(self.closed_port)
        works += [self.impatient("slow600-same", 1), self.impatient("slow600-other", 2)]
        works.append(self.pipelined)
        together(*works)

    def ask(self, word, tries=3, family=socket.AF_INET):
        """Asks with a new port each time and the same id, as resolvers do; over TCP when the answer is cut off."""
        def work():
            name = f"{word}.v{4 if family == socket.AF_INET else 6}.corp.example"
            kind = dnsd.TXT if word == "big" else dnsd.A
            server = (self.v4 if family == socket.AF_INET else self.v6)[1]
            same_port = None
            for attempt in range(tries):
                if same_port is None or word != "drop1":
                    same_port = self.client.socket(family, socket.SOCK_DGRAM)
                same_port.settimeout(0.8 if not word.startswith("slow") else 2)
                same_port.sendto(dnsd.query(name, kind, 77 + attempt * (word == "silent"), 4096 if word == "big" else 0), (server, 53))
                try:
                    answer = same_port.recv(65535)
                    break
                except OSError:
                    answer = None
            if answer and answer[2] & 2:
                opened = self.connect(53, family)
                message = dnsd.query(name, kind, 78)
                opened.sendall(struct.pack("!H", len(message)) + message)
                opened.recv(65535)
                opened.close()
        return work

    def impatient(self, word, ports):
        """Asks again before the answer comes, from the same port or from another; both times are answered."""
        def work():
            opened = [self.client.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(ports)]
            for number in range(2):
                asking = opened[number % ports]
                asking.settimeout(10)
                asking.sendto(dnsd.query(f"{word}.corp.example", dnsd.A, 79), (self.v4[1], 53))
                time.sleep(0.2)
            for number in range(2):
                opened[number % ports].recv(1000)
        return work

    def library(self):
        """glibc: a silent resolver first, a search list whose first domain does not exist, A and AAAA from one port."""
        self.client.resolv("nameserver 10.66.0.53\nnameserver 10.9.0.2\nsearch wrong.example corp.example\noptions timeout:1 attempts:1\n")
        for name in ("app", "tc-app", "slow200-app", "servfail-app"):
            self.client.spawn("getent", "ahosts", name, stdout=-3, stderr=-3).wait()

    def closed_port(self):
        """A server that is not there: ICMP port unreachable."""
        opened = self.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.settimeout(1)
        opened.connect(("10.9.0.3", 53))
        opened.send(dnsd.query("nobody.corp.example"))
        try:
            opened.recv(100)
        except OSError:
            pass

    def pipelined(self):
        """Three questions on one TCP connection, in one segment; then one in two segments."""
        opened = self.connect(53)
        messages = [dnsd.query(f"{word}.tcp.corp.example", dnsd.A, 100 + n) for n, word in enumerate(("ok", "servfail", "slow100", "last"))]
        framed = [struct.pack("!H", len(message)) + message for message in messages]
        opened.sendall(b"".join(framed[:3]))
        time.sleep(0.4)
        opened.sendall(framed[3][:11])
        time.sleep(0.05)
        opened.sendall(framed[3][11:])
        time.sleep(0.1)
        opened.close()


class Lossy(Cell):
    """Bulk both ways and small exchanges over a cable that loses packets; captured at both ends."""

    connections = 3
    amount = 250000

    def traffic(self):
        self.capture(f"{self.name}-far", self.server)

        def sink(connection):
            read_all(connection)
            connection.close()

        def source(connection):
            connection.recv(10)
            connection.sendall(b"d" * self.amount)
            connection.close()

        def chat(connection):
            while connection.recv(300):
                connection.sendall(b"c" * 700)

        self.listen(8201, sink)
        self.listen(8202, source)
        self.listen(8203, chat)

        def up():
            opened = self.connect(8201, timeout=8)
            opened.sendall(b"u" * self.amount)
            opened.close()

        def down():
            opened = self.connect(8202, timeout=8)
            opened.sendall(b"go")
            read_all(opened)
            opened.close()

        def talk():
            opened = self.connect(8203, timeout=4)
            for _ in range(20):
                opened.sendall(b"q" * 200)
                opened.recv(5000)
            opened.close()

        together(*[tolerant(work) for work in (up, down, talk) for _ in range(self.connections)])
        time.sleep(0.3)


class Loss1(Lossy):
    wire_options = ("loss=0.01", "delay=0.004", "seed=11")


class Loss10(Lossy):
    wire_options = ("loss=0.1", "delay=0.004", "seed=12")
    amount = 60000


class Reorder(Lossy):
    wire_options = ("reorder=0.03", "delay=0.004", "behind=0.003", "seed=13")


class Routed(Cell):
    """The server is behind a router; what the router says no to, it says in real ICMP."""

    v4 = ("10.9.0.1", "10.8.0.2")
    v6 = ("fd09::1", "fd08::2")
    far_wire = None

    def connect_nets(self):
        self.router = Net(f"{self.name}-r")
        cable(self.client, "eth0", self.router, "near")
        if self.far_wire:
            self.wires = [Wire(f"{self.name}-w", self.router, "far", self.server, "eth0", *self.far_wire)]
        else:
            cable(self.router, "far", self.server, "eth0")
        for net, interface in ((self.client, "eth0"), (self.router, "near"), (self.router, "far"), (self.server, "eth0")):
            net.plain(interface)
        self.router.sysctl("net.ipv4.ip_forward", 1)
        self.router.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.router.sysctl("net.ipv4.icmp_ratelimit", 0)
        self.client.ip("address add 10.9.0.1/24 dev eth0", "address add fd09::1/64 dev eth0 nodad", "route add default via 10.9.0.254",
                       "route add default via fd09::254")
        self.router.ip("address add 10.9.0.254/24 dev near", "address add fd09::254/64 dev near nodad",
                       "address add 10.8.0.254/24 dev far", "address add fd08::254/64 dev far nodad")
        self.server.ip("address add 10.8.0.2/24 dev eth0", "address add fd08::2/64 dev eth0 nodad", "route add default via 10.8.0.254",
                       "route add default via fd08::254")

    def transfers(self, seconds):
        self.listen(8301, lambda connection: read_all(connection))
        self.listen(8303, lambda connection: read_all(connection), socket.AF_INET6)

        def source(connection):
            connection.recv(10)
            connection.sendall(b"d" * 60000)
            connection.close()

        self.listen(8302, source)

        def up(port, family):
            def work():
                opened = self.connect(port, family, timeout=seconds)
                opened.sendall(b"u" * 60000)
                opened.shutdown(socket.SHUT_WR)
                opened.recv(10)
                time.sleep(0.05)
                opened.close()
            return work

        def down():
            opened = self.connect(8302, timeout=seconds)
            opened.sendall(b"go")
            read_all(opened)
            opened.close()

        together(*map(tolerant, (up(8301, socket.AF_INET), up(8303, socket.AF_INET6), down)))


class MtuWithIcmp(Routed):
    def traffic(self):
        self.router.ip("route replace 10.8.0.0/24 dev far mtu lock 1400", "route replace fd08::/64 dev far mtu lock 1400")
        self.transfers(4)


class MtuBlackHole(Routed):
    far_wire = ("bigger=1400",)

    def traffic(self):
        self.transfers(4.5)
        self.expect(8301, tcp__blackHole=True)


class Unreachable(Routed):
    """Prohibited, unreachable, time to live, nobody at home."""

    def traffic(self):
        self.router.ip("route add prohibit 10.7.0.1", "route add unreachable 10.7.0.2", "route add blackhole 10.7.0.3",
                       "route add prohibit fd07::1", "route add unreachable fd07::2")
        self.listen(8401, lambda connection: read_all(connection))

        def tcp(address, port, timeout=1.4, family=socket.AF_INET):
            return tolerant(lambda: self.connect(port, family, timeout, address).close())

        def datagrams(address, port, family=socket.AF_INET, ttl=None, size=30):
            def work():
                opened = self.client.socket(family, socket.SOCK_DGRAM)
                opened.settimeout(0.3)
                if ttl and family == socket.AF_INET:
                    opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
                elif ttl:
                    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
                opened.connect((address, port))
                for _ in range(3):
                    try:
                        opened.send(b"d" * size)
                        opened.recv(100)
                    except OSError:
                        pass
                opened.close()
            return work

        def short_lived():
            opened = self.client.socket()
            opened.settimeout(1.3)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
            opened.connect((self.v4[1], 8401))

        v6 = socket.AF_INET6
        together(tcp("10.7.0.1", 8411), tcp("10.7.0.2", 8412), tcp("10.7.0.3", 8413), tcp("fd07::1", 8414, 1.4, v6),
                 tcp("fd07::2", 8415, 1.4, v6), tcp("10.9.0.77", 8416, 4), tcp("fd09::77", 8417, 4, v6),
                 tolerant(short_lived), datagrams("10.7.0.1", 8421), datagrams("10.7.0.2", 8422), datagrams(self.v4[1], 8423),
                 datagrams(self.v6[1], 8424, v6), datagrams(self.v4[1], 8425, ttl=1), datagrams(self.v6[1], 8426, v6, ttl=1),
                 datagrams("10.7.0.3", 8427), datagrams("10.7.0.2", 8428, size=4000),
                 lambda: self.client.spawn("ping", "-c", "3", "-i", "0.2", "-W", "1", self.v4[1], stdout=-3, stderr=-3).wait(),
                 lambda: self.client.spawn("ping", "-c", "2", "-i", "0.2", "-W", "1", "10.7.0.3", stdout=-3, stderr=-3).wait(),
                 lambda: self.client.spawn("ping", "-c", "2", "-i", "0.2", "-W", "1", "-s", "3000", self.v6[1], stdout=-3,
                                           stderr=-3).wait())


class SlowReader(Cell):
    """Zero windows both ways."""

    def traffic(self):
        def slow(connection):
            time.sleep(1.4)
            read_all(connection)
            connection.close()

        def source(connection):
            connection.sendall(b"d" * 300000)
            connection.close()

        self.listen(8501, slow, buffer=8192)
        self.listen(8502, source)

        def up():
            opened = self.connect(8501, timeout=6)
            opened.sendall(b"u" * 300000)
            opened.close()

        def down():
            opened = self.connect(8502, timeout=6, buffer=8192)
            time.sleep(1.4)
            read_all(opened)
            opened.close()

        together(up, down)
        time.sleep(0.2)


class HalfOpen(Cell):
    """The cable is cut in the middle of transfers."""

    wire_options = ("delay=0.001",)

    def traffic(self):
        def source(connection):
            for _ in range(100):
                connection.sendall(b"d" * 2000)
                time.sleep(0.02)

        self.listen(8601, lambda connection: read_all(connection))
        self.listen(8602, source)
        self.listen(8603, source, socket.AF_INET6)
        up, down, idle = self.connect(8601), self.connect(8602), self.connect(8601)
        self.open += [up, down, idle, self.connect(8603, socket.AF_INET6)]
        idle.sendall(b"x")
        for number in range(25):
            if number == 10:
                self.wires[0].order("cut")
            up.sendall(b"u" * 2000)
            time.sleep(0.02)
        time.sleep(3.5)


class Fragments(Cell):
    """Datagrams of several fragments, both ways, complete and not."""

    wire_options = ("loss=0.06", "reorder=0.1", "delay=0.002", "behind=0.001", "seed=17")

    def traffic(self):
        def echo(family, port):
            opened = self.server.socket(family, socket.SOCK_DGRAM)
            opened.bind(("", port))
            self.open.append(opened)

            def serve():
                while True:
                    try:
                        data, client = opened.recvfrom(65535)
                        opened.sendto(data[:len(data) // 2], client)
                    except OSError:
                        return
            threading.Thread(target=serve, daemon=True).start()

        def ask(family, port):
            def work():
                opened = self.client.socket(family, socket.SOCK_DGRAM)
                opened.settimeout(0.08)
                address = (self.v6 if family == socket.AF_INET6 else self.v4)[1]
                for number in range(20):
                    opened.sendto(b"f" * (400 + 600 * number), (address, port))
                    try:
                        opened.recv(65535)
                    except OSError:
                        pass
            return work

        for family, port in ((socket.AF_INET, 8701), (socket.AF_INET6, 8702)):
            echo(family, port)
        together(ask(socket.AF_INET, 8701), ask(socket.AF_INET6, 8702))


CELLS = {"tcp4": Tcp4, "tcp6": Tcp6, "vlan": Vlan, "filtered": Filtered, "tls12": Tls12, "tls13": Tls13, "dns": Dns, "loss1": Loss1,
         "loss10": Loss10, "reorder": Reorder, "mtuicmp": MtuWithIcmp, "mtuhole": MtuBlackHole, "unreach": Unreachable, "slow": SlowReader,
         "halfopen": HalfOpen, "fragments": Fragments}


def make(names=None):
    """Makes the corpus; returns the cells, each with its files."""
    pki = lab.Pki(f"{lab.FILES}/pki")
    cells, troubles = [Cell_(name, pki) for name, Cell_ in CELLS.items() if not names or name in names], []

    def work(cell):
        try:
            cell.made = cell.make()
        except Exception as trouble:  # on a thread: told by the caller
            troubles.append(f"{cell.name}: {trouble!r}")

    together(*[lambda cell=cell: work(cell) for cell in cells])
    if troubles:
        raise RuntimeError("; ".join(troubles))
    if os.path.exists(f"{lab.FILES}/tcp4.pcap"):  # the same without its Ethernet headers, and as a pcapng
        lab.run("editcap", "-C", "14", "-T", "rawip", f"{lab.FILES}/tcp4.pcap", f"{lab.FILES}/rawip.pcap")
        lab.run("editcap", "-F", "pcapng", f"{lab.FILES}/tcp4.pcap", f"{lab.FILES}/another.pcapng")
    return cells
