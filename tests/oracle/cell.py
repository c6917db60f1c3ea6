"""cell.py: a client and a server in namespaces of their own, a cable between them, and a capture on the client; and what they do to each
other in every test: connections that begin and end in every way.
"""
import socket
import struct
import threading
import time

import lab
from lab import Net, Wire, Capture, cable

LINGER_RST = struct.pack("ii", 1, 0)


class Cell:
    """A client and a server; addresses .1 and .2 of 10.9.0.0/24 and fd09::/64."""

    wire_options = None
    snaplen = 0
    v4 = ("10.9.0.1", "10.9.0.2")
    v6 = ("fd09::1", "fd09::2")

    def __init__(self, name, pki):
        self.name, self.pki, self.expected, self.files, self.notes = name, pki, [], [], {}
        self.client, self.server = Net(f"{name}-c"), Net(f"{name}-s")
        self.open, self.wires, self.handling = [], [], []

    def connect_nets(self):
        if self.wire_options is None:
            cable(self.client, "eth0", self.server, "eth0")
        else:
            self.wires = [Wire(f"{self.name}-w", self.client, "eth0", self.server, "eth0", *self.wire_options)]
        for net, v4, v6 in ((self.client, self.v4[0], self.v6[0]), (self.server, self.v4[1], self.v6[1])):
            net.ip(f"address add {v4}/24 dev eth0", f"address add {v6}/64 dev eth0 nodad")

    def capture(self, name=None, net=None, interface="eth0", *options):
        file = f"{lab.FILES}/{name or self.name}.pcap"
        self.files.append(Capture(net or self.client, file, interface, *options))

    def traffic(self):
        raise NotImplementedError

    def make(self):
        """Makes the files; returns their paths."""
        self.connect_nets()
        self.capture()
        began = time.monotonic()
        self.traffic()
        for capture in self.files:
            dropped = capture.stop()
            if dropped:
                raise RuntimeError(f"tcpdump dropped {dropped} packets of {capture.file}")
        for opened in self.open:
            opened.close()
        for wire in self.wires:
            self.notes.update(wire.stop())
        self.seconds = time.monotonic() - began
        return [capture.file for capture in self.files]

    def expect(self, port, where=None, **facts):
        """The conversation with this remote port has these facts ("tcp__outcome" is tcp.outcome); where: the file's name."""
        self.expected.append((where or self.name, port, facts))

    # ---- both sides

    def listen(self, port, handler, family=socket.AF_INET, buffer=0):
        """Runs handler(connection) on a thread for every connection."""
        opened = self.server.socket(family)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if buffer:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        opened.bind(("", port))
        opened.listen(64)
        self.open.append(opened)

        def handle(connection):
            try:
                handler(connection)
            except OSError:
                pass  # the scenario's fault
            connection.close()
            self.handling.remove(port)

        def accept():
            while True:
                try:
                    connection, _ = opened.accept()
                except OSError:
                    return
                connection.settimeout(8)
                self.handling.append(port)
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def settle(self, *stay):
        """Waits until the server has done with every connection, but those to the ports that stay."""
        deadline = time.monotonic() + 20
        while set(self.handling) - set(stay) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)

    def connect(self, port, family=socket.AF_INET, timeout=6.0, address=None, buffer=0):
        opened = self.client.socket(family)
        if buffer:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        opened.settimeout(timeout)
        opened.connect((address or (self.v6 if family == socket.AF_INET6 else self.v4)[1], port))
        return opened

    def fails(self, work):
        """Runs what is meant to fail."""
        try:
            work()
        except OSError:
            return
        raise RuntimeError(f"{self.name}: a scenario that had to fail went well")


def reset(connection):
    time.sleep(0.02)  # what was sent before has arrived
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RST)
    connection.close()


def read_all(connection):
    total = 0
    while True:
        data = connection.recv(65536)
        if not data:
            return total
        total += len(data)


def together(*works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def tolerant(work):
    """For transfers that a bad cable may not let end."""
    def tried():
        try:
            work()
        except OSError:
            pass
    return tried


def tcp_stories(cell, family, where=None):
    """Every way a TCP connection begins and ends."""
    def answer(size, then=lambda connection: connection.close()):
        def handler(connection):
            connection.recv(1000)
            connection.sendall(b"a" * size)
            then(connection)
        return handler

    def half_close(connection):
        read_all(connection)
        connection.sendall(b"b" * 20000)
        connection.close()

    def late(connection):
        connection.recv(1000)
        time.sleep(0.1)
        connection.sendall(b"too late")

    cell.listen(8001, answer(5000, read_all), family)
    cell.listen(8002, answer(3000), family)
    cell.listen(8004, lambda connection: reset(connection), family)
    cell.listen(8005, answer(3000, reset), family)
    cell.listen(8006, answer(3000, read_all), family)
    cell.listen(8007, half_close, family)
    cell.listen(8008, late, family)
    cell.listen(8009, lambda connection: read_all(connection), family)
    cell.listen(8010, answer(400000), family)
    cell.listen(8011, answer(10, lambda connection: time.sleep(8)), family)

    for _ in range(3):
        opened = cell.connect(8001, family)
        opened.sendall(b"hello" * 20)
        read = 0
        while read < 5000:
            read += len(opened.recv(65536))
        opened.close()
    opened = cell.connect(8002, family)
    opened.sendall(b"hello")
    read_all(opened)
    opened.close()
    cell.fails(lambda: cell.connect(8003, family))
    opened = cell.connect(8004, family)
    cell.fails(lambda: opened.recv(10))
    opened = cell.connect(8005, family)
    opened.sendall(b"hello")
    cell.fails(lambda: read_all(opened))
    opened = cell.connect(8006, family)
    opened.sendall(b"hello")
    read = 0
    while read < 3000:
        read += len(opened.recv(5000))
    reset(opened)
    opened = cell.connect(8007, family)
    opened.sendall(b"hello")
    opened.shutdown(socket.SHUT_WR)
    read_all(opened)
    opened.close()
    opened = cell.connect(8008, family)
    opened.sendall(b"hello")
    opened.close()
    time.sleep(0.2)
    opened = cell.connect(8009, family)
    opened.sendall(b"u" * 400000)
    opened.close()
    opened = cell.connect(8010, family)
    opened.sendall(b"down")
    read_all(opened)
    opened.close()
    cell.open.append(cell.connect(8011, family))
    cell.open[-1].sendall(b"stay")
    cell.settle(8011)
    for port, outcome, facts in ((8001, "closed", {}), (8002, "closed", {}), (8003, "refused", {}),
                                 (8004, "reset", {"tcp__resetBy": "remote", "tcp__resetPhase": "idle"}),
                                 (8005, "reset", {"tcp__resetBy": "remote", "tcp__resetPhase": "data"}),
                                 (8006, "reset", {"tcp__resetBy": "local", "tcp__resetPhase": "data"}), (8007, "closed", {}),
                                 (8008, None, {"tcp__resetBy": "local", "tcp__resetPhase": "closing"}),
                                 (8009, "closed", {}), (8010, "closed", {}), (8011, "established", {})):
        cell.expect(port, where, **({"tcp__outcome": outcome} if outcome else {}), **facts)
