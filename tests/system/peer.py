#!/usr/bin/env python3
"""peer.py: a hand-made peer of the coordinator: TLS and frames by Python, nothing of ours, so that it can lie.

    peer.py [--ca F --cert F --key F] [--server-name NAME] HOST:PORT COMMAND...

    call METHOD [HEX]        one call; prints CODE and the sentence
    methods                  every method of the contract, each on its own connection; prints METHOD CODE
    enrol TOKEN ID CSR [KEY=VALUE]...
                             asks for a certificate with the PEM request in the file CSR, without showing one of its own;
                             KEY: name, scale_set, region, token_id, secret (hex), certificate (where to write it); prints
                             ISSUED SCALE-SET REGION, PENDING ID, or CODE and the sentence
    renew CSR                asks for a new certificate; prints the same
    hello ID [SECONDS]       a node's first call, naming ID; then stays; prints how the call and the connection ended
    stay SECONDS [METHOD]    says nothing after the handshake (and one call); prints when the peer hung up
    resume                   connects, and again with the session ticket after a line on stdin; prints how both went
    length HEX               after the handshake, these bytes in place of a frame; prints when the peer hung up
    plain HEX                these bytes in place of a handshake; prints when the peer hung up
    reset COUNT              COUNT connections that send a ClientHello and reset
    strangers COUNT SECONDS  COUNT connections without a certificate that call Enrol once and stay
    silent COUNT SECONDS     COUNT connections that say nothing, until all are closed by the peer, or so long
"""
import argparse
import base64
import socket
import ssl
import struct
import sys
import time

METHODS = {
    "CaptureService": ["CreateCapture", "GetCapture", "ListCaptures", "ListInstanceCaptures", "WatchCapture",
                       "StopCaptures", "DeleteCapture", "ListFiles", "ReadFile"],
    "FleetService": ["GetFleet", "ListInstances", "GetInstance"],
    "CoordinatorService": ["Hello", "Report", "Heartbeat"],
    "EnrolService": ["Enrol", "Renew"],
    "AdmissionService": ["CreateToken", "ListTokens", "RevokeToken", "ListEnrolments", "DecideEnrolment",
                         "RemoveInstance"],
    "NodeService": ["SetDesired", "ReadSegment"],
    "NoSuchService": ["Nothing"],
}
CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
         "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]
TIMEOUT_S = 60


# ---- protobuf, just enough (protobuf.dev/programming-guides/encoding)

def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def piece(field, value):
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def fields(data):
    """The fields of a message: {number: last value}, nested messages as bytes."""
    out, at = {}, 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = take()
        if key & 7 == 0:
            out[key >> 3] = take()
        elif key & 7 == 2:
            size = take()
            out[key >> 3] = data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {key & 7}")
    return out


# ---- frames

class Closed(Exception):
    pass


class Peer:
    def __init__(self, options, session=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        if options.cert:
            context.load_cert_chain(options.cert, options.key)
        self.context = context
        self.socket = context.wrap_socket(socket.create_connection(options.address, TIMEOUT_S), session=session,
                                          server_hostname=options.server_name or options.address[0])
        self.message = b""

    def send(self, stream, body):
        frame = number(1, stream) + body
        self.socket.sendall(struct.pack(">I", len(frame)) + frame)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except (ConnectionError, ssl.SSLError) as error:
                raise Closed(str(error)) from error
            if not more:
                raise Closed("closed by the peer")
            data += more
        return data

    def receive(self):
        """The next frame that is not a Ping, which is answered."""
        while True:
            frame = fields(self.exactly(struct.unpack(">I", self.exactly(4))[0]))
            if 7 not in frame:
                return frame
            self.send(0, piece(8, number(1, fields(frame[7]).get(1, 0))))

    def call(self, method, payload=b""):
        """(code, sentence) of a call on stream 1."""
        self.send(1, piece(2, piece(1, method) + number(2, 10000) + number(3, 1 << 18)))
        self.send(1, piece(3, piece(1, payload) + number(2, 1)))
        while True:
            frame = self.receive()
            if frame.get(1) == 1 and 3 in frame:
                self.message = fields(frame[3]).get(1, b"")
            if frame.get(1) == 1 and 4 in frame:
                status = fields(frame[4])
                return CODES[status.get(1, 0)], status.get(2, b"").decode()

    def until_closed(self, seconds):
        """Seconds until the peer hung up; None when it did not."""
        start = time.monotonic()
        self.socket.settimeout(seconds)
        try:
            while True:
                self.receive()
        except Closed:
            return time.monotonic() - start
        except TimeoutError:
            return None


def hello(identity):
    instance = piece(1, identity) + piece(2, identity) + piece(3, "web") + piece(4, "eu") + piece(5, "eu-1")
    return number(1, 1) + piece(3, "0.0.0") + piece(4, instance)


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    half = context.wrap_bio(incoming, outgoing)
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


# ---- commands

def do_call(options, method, payload=""):
    print(*Peer(options).call(method, bytes.fromhex(payload)))


def do_methods(options):
    for service, names in METHODS.items():
        for name in names:
            try:
                code, _ = Peer(options).call(f"/fleetcap.v1.{service}/{name}")
            except Closed:
                code = "CLOSED"
            print(f"{service}/{name} {code}")


def show_enrolment(peer, code, sentence, certificate=None):
    answer = fields(peer.message)
    if code != "OK":
        print(code, sentence)
    elif 1 in answer:
        issued = fields(answer[1])
        if certificate:
            with open(certificate, "wb") as file:
                file.write(issued[1])
        print("ISSUED", issued.get(4, b"").decode(), issued.get(5, b"").decode())
    else:
        print("PENDING", fields(answer[2])[1].decode())


def do_enrol(options, token, identity, csr, *settings):
    said = dict(setting.split("=", 1) for setting in settings)
    _, token_id, secret, _ = token.split(".")
    secret = bytes.fromhex(said["secret"]) if "secret" in said else base64.urlsafe_b64decode(secret + "=")
    with open(csr, "rb") as file:
        request = (piece(1, said.get("token_id", token_id)) + piece(2, secret) + piece(3, identity) +
                   piece(4, said.get("name", identity)) + piece(5, said.get("scale_set", "")) +
                   piece(6, said.get("region", "")) + piece(7, file.read()) + piece(8, "0.0.0"))
    options.server_name = "enrol.fleetcap.invalid"
    peer = Peer(options)
    show_enrolment(peer, *peer.call("/fleetcap.v1.EnrolService/Enrol", request), said.get("certificate"))


def do_renew(options, csr):
    peer = Peer(options)
    with open(csr, "rb") as file:
        show_enrolment(peer, *peer.call("/fleetcap.v1.EnrolService/Renew", piece(1, file.read())))


def do_hello(options, identity, seconds="0"):
    peer = Peer(options)
    try:
        print(*peer.call("/fleetcap.v1.CoordinatorService/Hello", hello(identity)), flush=True)
        closed = peer.until_closed(float(seconds)) if float(seconds) else None
    except Closed:
        closed = 0
    print("still connected" if closed is None else f"closed after {closed:.1f} s", flush=True)


def do_resume(options):
    first = Peer(options)
    print("first", *first.call("/fleetcap.v1.FleetService/GetFleet")[:1], flush=True)
    session = first.socket.session
    first.socket.close()
    sys.stdin.readline()
    try:
        # The session belongs to its context, so the second connection is made with the first one's.
        connection = socket.create_connection(options.address, TIMEOUT_S)
        first.socket = first.context.wrap_socket(connection, session=session, server_hostname=options.address[0])
        reused = "resumed" if first.socket.session_reused else "full"
        print("second", reused, *first.call("/fleetcap.v1.FleetService/GetFleet")[:1])
    except (Closed, ssl.SSLError, ConnectionError):
        print("second refused")


def do_stay(options, seconds, method=""):
    peer = Peer(options)
    if method:
        peer.call(method)
    print("connected", flush=True)
    closed = peer.until_closed(float(seconds))
    print("still connected" if closed is None else f"closed after {closed:.1f} s")


def do_length(options, data):
    peer = Peer(options)
    peer.socket.sendall(bytes.fromhex(data))
    closed = peer.until_closed(TIMEOUT_S)
    print("still connected" if closed is None else f"closed after {closed:.1f} s")


def do_plain(options, data):
    connection = socket.create_connection(options.address, TIMEOUT_S)
    start = time.monotonic()
    try:
        connection.sendall(bytes.fromhex(data))
        while connection.recv(4096):
            pass
    except TimeoutError:
        print("still connected")
        return
    except ConnectionError:
        pass
    print(f"closed after {time.monotonic() - start:.1f} s")


def do_reset(options, count):
    greeting = client_hello()
    for _ in range(int(count)):
        connection = socket.create_connection(options.address, TIMEOUT_S)
        connection.sendall(greeting)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    print(f"reset {count}")


def do_strangers(options, count, seconds):
    options.server_name = "enrol.fleetcap.invalid"
    held, refused = [], 0
    for _ in range(int(count)):
        try:
            peer = Peer(options)
            peer.call("/fleetcap.v1.EnrolService/Enrol")
            held.append(peer)
        except (Closed, ssl.SSLError, ConnectionError):
            refused += 1
    print(f"strangers {count}", flush=True)
    time.sleep(float(seconds))
    closed = 0
    for peer in held:
        # Pings that nobody answered may wait before the end of the stream.
        closed += peer.until_closed(0.01) is not None
    print(f"refused {refused} closed {closed}")


def do_silent(options, count, seconds):
    held = [socket.create_connection(options.address, TIMEOUT_S) for _ in range(int(count))]
    print(f"silent {len(held)}", flush=True)
    deadline, closed = time.monotonic() + float(seconds), 0
    for connection in held:
        connection.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            closed += connection.recv(1) == b""
        except TimeoutError:
            pass
        except ConnectionError:
            closed += 1
    print(f"closed {closed}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for name in ("--ca", "--cert", "--key", "--server-name"):
        parser.add_argument(name)
    parser.add_argument("address")
    parser.add_argument("command")
    parser.add_argument("rest", nargs="*")
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    options.address = (host, int(port))
    try:
        globals()[f"do_{options.command}"](options, *options.rest)
    except (ssl.SSLError, ConnectionError) as error:
        print(f"refused: {error}")
        sys.exit(1)
    except Closed as error:
        print(f"closed: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
