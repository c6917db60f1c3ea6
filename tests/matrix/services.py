"""services.py: what the fleet uses: HTTPS, HTTPS with client certificates, bulk data, a cache, the time, and a stranger.

    services.py pki=DIR [reset=ADDRESS] [slow=ADDRESS:SECONDS] [only=cache] [host=ADDRESS]

host: everything at one address.
reset: TLS handshakes of that client are reset after its ClientHello. slow: that client waits so long for every answer.
"""
import contextlib
import socket
import ssl
import struct
import sys
import threading
import time

FACTS = {"reset": "", "slow": ":0", "only": "", "host": ""}
FACTS.update(argument.split("=", 1) for argument in sys.argv[1:])
SLOW, _, SLOW_S = FACTS["slow"].rpartition(":")


def think(client):
    if client == SLOW:
        time.sleep(float(SLOW_S))


def serve(address, port, handler):
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((address, port))
    opened.listen(128)

    def handle(connection, client):
        connection.settimeout(6)
        with contextlib.suppress(OSError), connection:
            handler(connection, client)

    def accept():
        while True:
            connection, client = opened.accept()
            threading.Thread(target=handle, args=(connection, client[0]), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def https(context):
    def handler(connection, client):
        if client == FACTS["reset"]:
            connection.recv(4096)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1000)
                think(client)
                tls.sendall(b"h" * 4000)
        except ssl.SSLError:  # the alert is out: let the client read it before the connection goes
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1000)
    return handler


def bulk(connection, client):
    head = connection.recv(10, socket.MSG_WAITALL)
    if len(head) < 10:
        return
    size = int(head[1:])
    if head[:1] == b"D":
        think(client)
        connection.sendall(b"d" * size)
        return
    while size > 0:
        data = connection.recv(65536)
        if not data:
            return
        size -= len(data)
    think(client)
    connection.sendall(b"ok")


def small(connection, client):
    while connection.recv(100):
        think(client)
        connection.sendall(b"v" * 200)


def clock(address):
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, 123))
    while True:
        data, client = opened.recvfrom(100)
        opened.sendto(b"\x24" + data[1:], client)


def context(pki, verify):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{pki}/server.crt", f"{pki}/server.key")
    if verify:  # at most 1.2, where the refusal of a certificate is part of the handshake
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(f"{pki}/ca.crt")
    else:
        made.minimum_version = ssl.TLSVersion.TLSv1_3
    return made


def main():
    web, bulk_at, clock_at, stranger = [FACTS["host"] or address for address in ("10.2.0.10", "10.2.0.20", "10.2.0.30", "203.0.113.9")]
    if FACTS["host"]:
        serve(FACTS["host"], 6379, small)
    if FACTS["only"] != "cache":
        serve(web, 443, https(context(FACTS["pki"], False)))
        serve(web, 8443, https(context(FACTS["pki"], True)))
        serve(bulk_at, 9000, bulk)
        serve(stranger, 4444, small)
        threading.Thread(target=clock, args=(clock_at,), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


main()
