#!/usr/bin/env python3
"""A bit of everything between two machines, so that a profile has something to tell.

    talk.py server ADDRESS            until it is killed: DNS on port 53, TCP on 8080
    talk.py client ADDRESS SECONDS    connections that are answered, reset and refused; DNS that is answered,
                                      refused and not answered at all
"""
import socket
import struct
import sys
import threading
import time

DNS_PORT, NO_DNS_PORT, TCP_PORT, CLOSED_PORT = 53, 54, 8080, 81


def answer_dns(server):
    while True:
        query, peer = server.recvfrom(512)
        rcode = 2 if b"bad" in query else 0
        server.sendto(query[:2] + bytes([0x81, 0x80 | rcode]) + query[4:], peer)


def serve(address):
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind((address, DNS_PORT))
    threading.Thread(target=answer_dns, args=(dns,), daemon=True).start()
    listener = socket.create_server((address, TCP_PORT))
    while True:
        connection, _ = listener.accept()
        if connection.recv(100).startswith(b"reset"):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.sendall(b"x" * 20000)
        connection.close()


def ask(server, number, name):
    query = struct.pack(">HHHHHH", number & 0xFFFF, 0x100, 1, 0, 0, 0)
    query += b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.3)
        client.sendto(query, server)
        try:
            client.recv(512)
        except OSError:
            pass


def connect(server, word):
    try:
        with socket.create_connection(server) as client:
            client.sendall(word)
            while client.recv(65536):
                pass
    except OSError:
        pass


def talk(address, seconds):
    end, number = time.time() + seconds, 0
    while time.time() < end:
        number += 3
        connect((address, TCP_PORT), b"hello")
        connect((address, TCP_PORT), b"reset")
        connect((address, CLOSED_PORT), b"nobody")
        ask((address, DNS_PORT), number, f"good{number % 7}.example.org")
        ask((address, DNS_PORT), number + 1, "bad.example.org")
        ask((address, NO_DNS_PORT), number + 2, "nobody.example.org")
        time.sleep(0.01)


if sys.argv[1] == "server":
    serve(sys.argv[2])
else:
    talk(sys.argv[2], float(sys.argv[3]))
