"""dnsd.py: a DNS server that does what a test wants, over UDP and TCP.

What it answers is decided by the first label of the name:

    servfail… nxdomain… refused… formerr… notimp…   that rcode
    empty…                                          no error, no records
    slowN…                                          an answer after N ms
    dropN…                                          nothing the first N times it is asked (by type), then an answer
    silent…                                         nothing, ever
    tc…                                             over UDP cut off (TC), over TCP an answer
    big…                                            over UDP an answer of about 3000 bytes (IP fragments)
    anything else                                   an answer: A and AAAA

Names outside of the zones that it has are NXDOMAIN. As a program: dnsd.py ADDRESS... [zone=NAME]... [peer=ADDRESS:FIRST_LABEL]...
where peer= makes it treat every question of that client as if its name began with that label.
"""
import collections
import contextlib
import socket
import struct
import sys
import threading
import time

RCODES = {"formerr": 1, "servfail": 2, "nxdomain": 3, "notimp": 4, "refused": 5}
A, AAAA, TXT = 1, 28, 16


def question(message):
    """(name, type, the question's bytes); None when it is no question."""
    if len(message) < 17 or message[2] & 0x80:
        return None
    labels, at = [], 12
    while at < len(message) and message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1").lower())
        at += 1 + message[at]
    if at + 5 > len(message):
        return None
    return ".".join(labels), struct.unpack_from("!H", message, at + 1)[0], message[12:at + 5]


def query(name, kind=A, ident=1, edns=0):
    """A question, for clients that speak for themselves."""
    labels = b"".join(struct.pack("B", len(label)) + label.encode() for label in name.split(".") if label) + b"\0"
    extra = b"\0" + struct.pack("!HHIH", 41, edns, 0, 0) if edns else b""
    return struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 1 if edns else 0) + labels + struct.pack("!HH", kind, 1) + extra


class Brain:
    def __init__(self, zones=("corp.example",), addresses=("10.2.0.10", "fd02::10"), peers=None):
        self.zones, self.v4, self.v6, self.peers = zones, addresses[0], addresses[1], peers or {}
        self.asked = collections.Counter()

    def answers(self, message, client, over_tcp):
        """(seconds to wait, bytes), or None for silence."""
        asked = question(message)
        if not asked:
            return None
        name, kind, echo = asked
        how = self.peers.get(client, name.split(".")[0])
        inside = any(name == zone or name.endswith("." + zone) for zone in self.zones)
        wait, rcode, cut = 0.0, 0 if inside else 3, False
        for word, code in RCODES.items():
            if how.startswith(word):
                rcode = code
        if how.startswith("silent"):
            return None
        if how.startswith("slow"):
            wait = int("".join(c for c in how if c.isdigit())) / 1000
        if how.startswith("drop"):
            self.asked[client, name, kind] += 1
            if self.asked[client, name, kind] <= int("".join(c for c in how if c.isdigit())):
                return None
        if how.startswith("tc") and not over_tcp:
            cut = True
        records = []
        if not rcode and not cut and not how.startswith("empty"):
            if how.startswith("big"):
                records = [(TXT, b"\xfa" + bytes([97 + n]) * 250) for n in range(12)]
            elif kind == A and self.v4:
                records = [(A, socket.inet_aton(self.v4))]
            elif kind == AAAA and self.v6:
                records = [(AAAA, socket.inet_pton(socket.AF_INET6, self.v6))]
        flags = 0x8180 | rcode | (0x0200 if cut else 0)
        body = b"".join(struct.pack("!HHHIH", 0xC00C, number, 1, 60, len(data)) + data for number, data in records)
        return wait, message[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0) + echo + body


def serve_udp(opened, brain):
    while True:
        try:
            message, client = opened.recvfrom(4096)
        except OSError:
            return
        answer = brain.answers(message, client[0], False)
        if answer and answer[0]:
            threading.Timer(answer[0], lambda a=answer[1], c=client: opened.sendto(a, c)).start()
        elif answer:
            opened.sendto(answer[1], client)


def serve_tcp_client(opened, brain, client):
    with opened, contextlib.suppress(OSError):
        while True:
            head = opened.recv(2, socket.MSG_WAITALL)
            if len(head) < 2:
                return
            message = opened.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
            answer = brain.answers(message, client, True)
            if answer:
                time.sleep(answer[0])
                opened.sendall(struct.pack("!H", len(answer[1])) + answer[1])


def serve_tcp(opened, brain):
    while True:
        try:
            accepted, client = opened.accept()
        except OSError:
            return
        threading.Thread(target=serve_tcp_client, args=(accepted, brain, client[0]), daemon=True).start()


def start(make_socket, address, brain, port=53):
    """Serves at that address; make_socket(family, kind) makes the sockets."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind, serve in ((socket.SOCK_DGRAM, serve_udp), (socket.SOCK_STREAM, serve_tcp)):
        opened = make_socket(family, kind)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        if kind == socket.SOCK_STREAM:
            opened.listen(64)
        threading.Thread(target=serve, args=(opened, brain), daemon=True).start()


def main():
    options = [argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument]
    zones = [value for key, value in options if key == "zone"]
    peers = dict(value.rsplit(":", 1) for key, value in options if key == "peer")
    v4 = ([value for key, value in options if key == "a"] or ["10.2.0.10"])[0]
    brain = Brain(zones or ("corp.example",), (v4, None), peers)
    for address in sys.argv[1:]:
        if "=" not in address:
            start(socket.socket, address, brain)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
