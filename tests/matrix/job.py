"""job.py: what an instance of the fleet does all day: resolves names, GETs over HTTPS, with a client certificate too, talks to its cache,
asks for the time, moves bulk data. It carries on whatever fails. It says "ready" and begins when it can read a byte on stdin, or its end.

    job.py KEY=VALUE...   seconds=, seed=, pki=, port=443, ca=ca, certificate=client, tls12=1 (at most TLS 1.2), reads=slow,
                          cache=ADDRESS, bulk=ADDRESS, clock=ADDRESS, extra=ADDRESS:PORT, names=app,api, size=100000
"""
import os
import random
import socket
import ssl
import sys
import threading
import time

FACTS = {"seconds": "8", "seed": "1", "port": "443", "ca": "ca", "certificate": "client", "tls12": "", "reads": "", "cache": "10.1.0.100",
         "bulk": "10.2.0.20", "clock": "10.2.0.30", "extra": "", "names": "app,api,files", "size": "100000"}
FACTS.update(argument.split("=", 1) for argument in sys.argv[1:])
TIMEOUT_S = 1.5


def connect(address, port, timeout=TIMEOUT_S, buffer=0):
    opened = socket.socket()
    if buffer:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    opened.settimeout(timeout)
    try:
        opened.connect((address, port))
    except OSError:
        opened.close()
        raise
    return opened


def exchange(opened, request, size):
    opened.sendall(request)
    while size > 0:
        data = opened.recv(65536)
        if not data:
            return
        size -= len(data)


def context(certificate=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(f"{FACTS['pki']}/{FACTS['ca']}.crt")
    if FACTS["tls12"]:
        made.maximum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        made.load_cert_chain(f"{FACTS['pki']}/{certificate}.crt", f"{FACTS['pki']}/{certificate}.key")
    return made


def https(made, port, dice):
    name = dice.choice(FACTS["names"].split(","))
    address = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][4][0]
    with connect(address, port) as opened, made.wrap_socket(opened, server_hostname=f"{name}.corp.example") as tls:
        exchange(tls, b"GET / HTTP/1.0\r\n\r\n", 4000)


def cache(dice):
    with connect(FACTS["cache"], 6379) as opened:
        for _ in range(dice.randint(1, 4)):
            exchange(opened, b"get", 200)


def clock(_):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(1)
        opened.sendto(b"\x23" + b"\0" * 47, (FACTS["clock"], 123))
        opened.recv(100)


def upload(_):
    size = int(FACTS["size"])
    with connect(FACTS["bulk"], 9000, 3) as opened:
        exchange(opened, b"U%09d" % size + b"u" * size, 2)


def download(_):
    size = int(FACTS["size"])
    with connect(FACTS["bulk"], 9000, 3, 8192 if FACTS["reads"] else 0) as opened:
        opened.sendall(b"D%09d" % size)
        if FACTS["reads"]:
            time.sleep(1)
        exchange(opened, b"", size)


def extra(_):
    address, port = FACTS["extra"].split(":")
    with connect(address, int(port)) as opened:
        exchange(opened, b"hello", 200)


def loop(work, period_s, seed, until):
    """Again and again, about every so many seconds."""
    dice = random.Random(f"{FACTS['seed']} {seed}")
    time.sleep(dice.random() * period_s)
    while time.monotonic() < until:
        try:
            work(dice)
        except OSError:
            pass
        time.sleep(max(0.0, min(period_s * dice.uniform(0.5, 1.5), until - time.monotonic())))


def main():
    plain, mutual = context(), context(FACTS["certificate"])
    works = [(lambda dice: https(plain, int(FACTS["port"]), dice), 0.2), (lambda dice: https(mutual, 8443, dice), 0.6), (cache, 0.3),
             (clock, 0.5), (upload, 0.8), (download, 0.8)]
    works += [(download, 0.8)] * (3 if FACTS["reads"] else 0)  # who does not read has the more connections open
    if FACTS["extra"]:
        works.append((extra, 0.7))
    print("ready", flush=True)
    os.read(0, 1)
    until = time.monotonic() + float(FACTS["seconds"])
    threads = [threading.Thread(target=loop, args=(work, period_s, number, until)) for number, (work, period_s) in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
