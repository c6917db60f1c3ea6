"""wire.py: a bad cable: forwards Ethernet frames between two interfaces of its namespace and does to them what it was told.

    wire.py A B [ab:KEY=VALUE | ba:KEY=VALUE | KEY=VALUE]...

    seed=N               of the dice (default 1)
    loss=P               drops a frame with probability P
    delay=S              holds every frame for S seconds
    reorder=P            holds a frame with probability P for another `behind` seconds (default 0.004)
    bigger=N             drops what is longer than N bytes behind the Ethernet header
    port=N               drops TCP and UDP to or from port N
    arp=ADDRESS          drops ARP about that address
    state=PORT:N         forgets a TCP connection to that port after N of its frames, and drops the rest (a firewall that forgets)
    vlan=N               puts an 802.1Q tag on
    icmp=0               drops ICMP and ICMPv6 errors

Orders on stdin, a line each: "cut" drops everything, "mend" ends that. At the end of stdin it says what it did, and ends.
Frames are forwarded in order unless they are held.
"""
import heapq
import os
import random
import selectors
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 263, 23, 33
ETH_P_ALL = 3
DIRECTIONS = ("ab", "ba")
SLACK_S = 0.0002  # selectors wake up late by about this


def parse(arguments):
    options = {direction: {"behind": "0.004"} for direction in DIRECTIONS}
    for argument in arguments:
        head, separator, rest = argument.partition(":")
        chosen = (head,) if separator and head in DIRECTIONS else DIRECTIONS
        key, _, value = (rest if chosen != DIRECTIONS else argument).partition("=")
        for direction in chosen:
            options[direction][key] = value
    return options


def listen(interface):
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    opened.bind((interface, ETH_P_ALL))
    opened.setblocking(False)
    return opened


def transport(frame):
    """(protocol, transport header's offset, fragment) of an IP packet, or None."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x0800 and len(frame) >= 34:
        if struct.unpack_from("!H", frame, 20)[0] & 0x1FFF:
            return None
        return frame[23], 14 + 4 * (frame[14] & 15)
    if kind == 0x86DD and len(frame) >= 54:
        return frame[20], 54
    return None


class Direction:
    states = {}  # of connections, both directions together: frames so far

    def __init__(self, options, dice):
        self.dice = dice
        self.loss, self.delay, self.reorder, self.behind = (float(options.get(key, 0)) for key in ("loss", "delay", "reorder", "behind"))
        self.bigger, self.port, self.vlan = (int(options.get(key, 0)) for key in ("bigger", "port", "vlan"))
        self.arp = socket.inet_aton(options["arp"]) if "arp" in options else None
        self.errors = options.get("icmp") != "0"
        port, _, count = options.get("state", "0:0").partition(":")
        self.state_port, self.state_frames = int(port), int(count)
        self.simple = not (self.port or self.arp or not self.errors or self.state_port)

    def refuses(self, frame):
        """The name of why it does not forward this frame, or None."""
        if self.bigger and len(frame) > self.bigger + 14:
            return "bigger"
        if not self.simple:
            why = self.judges(frame)
            if why:
                return why
        if self.loss and self.dice.random() < self.loss:
            return "lost"
        return None

    def judges(self, frame):
        if self.arp and frame[12:14] == b"\x08\x06" and self.arp in (frame[28:32], frame[38:42]):
            return "arp"
        found = transport(frame)
        if not found or found[1] + 4 > len(frame):
            return None
        protocol, at = found
        if protocol in (6, 17):
            ports = struct.unpack_from("!HH", frame, at)
            if self.port in ports:
                return "port"
            if protocol == 6 and self.state_port in ports:
                connection = frozenset(ports)
                self.states[connection] = self.states.get(connection, 0) + 1
                return "state" if self.states[connection] > self.state_frames else None
        if not self.errors and ((protocol == 1 and frame[at] in (3, 11, 12)) or (protocol == 58 and frame[at] < 128)):
            return "icmp"
        return None

    def holds(self):
        """For how many seconds."""
        if self.reorder and self.dice.random() < self.reorder:
            return self.delay + self.behind, True
        return self.delay, False


def send(to, frame, counts):
    try:
        to.send(frame)
        counts["forwarded"] += 1
    except OSError:
        counts["unsent"] = counts.get("unsent", 0) + 1


def main():
    options = parse(sys.argv[3:])
    dice = random.Random(int(options["ab"].get("seed", 1)))
    directions = {name: Direction(options[name], dice) for name in DIRECTIONS}
    sockets = {"ab": listen(sys.argv[1]), "ba": listen(sys.argv[2])}
    other = {"ab": "ba", "ba": "ab"}
    selector = selectors.DefaultSelector()
    for name, opened in sockets.items():
        selector.register(opened, selectors.EVENT_READ, name)
    selector.register(0, selectors.EVENT_READ, "orders")
    os.set_blocking(0, False)
    held, serial, is_cut, ended = [], 0, False, False
    counts = {"forwarded": 0}
    print("ready", flush=True)
    while not ended or held:
        for key, _ in selector.select(max(0, held[0][0] - time.monotonic()) if held else (0 if ended else None)):
            if key.data == "orders":
                order = os.read(0, 4096)
                if not order:
                    ended = True
                    selector.unregister(0)
                    continue
                is_cut = order.split()[-1] == b"cut"
                print("done", flush=True)
                continue
            direction, to = directions[key.data], sockets[other[key.data]]
            for _ in range(64):
                try:
                    frame = key.fileobj.recv(65536)
                except BlockingIOError:
                    break
                why = "cut" if is_cut else direction.refuses(frame)
                if why:
                    counts[f"{key.data}.{why}"] = counts.get(f"{key.data}.{why}", 0) + 1
                    continue
                if direction.vlan:
                    frame = frame[:12] + struct.pack("!HH", 0x8100, direction.vlan) + frame[12:]
                hold, counted = direction.holds()
                if counted:
                    counts[f"{key.data}.reordered"] = counts.get(f"{key.data}.reordered", 0) + 1
                if hold > 0:
                    serial += 1
                    heapq.heappush(held, (time.monotonic() + hold, serial, to, frame))
                else:
                    send(to, frame, counts)
        now = time.monotonic()
        while held and held[0][0] <= now + SLACK_S:  # what came while this program had to wait for the processor has overtaken them
            _, _, to, frame = heapq.heappop(held)
            send(to, frame, counts)
    print(" ".join(f"{key}={value}" for key, value in counts.items()), flush=True)


main()
