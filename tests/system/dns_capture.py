#!/usr/bin/env python3
"""Writes a pcap file of DNS questions, answered or not: dns_capture.py FILE CLIENT RESOLVER[:unanswered] COUNT [RESOLVER COUNT]…"""
import socket
import struct
import sys

START = 1764000000


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, destination, ports, payload):
    udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]) + head + udp


def question(number, answer):
    name = b"".join(bytes([len(label)]) + label for label in (b"host%d" % number, b"corp", b"example")) + b"\0"
    flags, answers = (0x8180, 1) if answer else (0x0100, 0)
    message = struct.pack("!HHHHHH", number, flags, 1, answers, 0, 0) + name + struct.pack("!HH", 1, 1)
    if answer:
        message += struct.pack("!HHHIH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton("10.0.0.80"))
    return message


def main():
    path, client, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    frames, number = [], 0
    for resolver, count in zip(rest[::2], rest[1::2]):
        address, _, silent = resolver.partition(":")
        for _ in range(int(count)):
            number += 1
            at = number * 100000
            ports = (40000 + number, 53)
            frames.append((at, packet(client, address, ports, question(number, False))))
            if not silent:
                frames.append((at + 400 + number % 7, packet(address, client, ports[::-1], question(number, True))))
    # A minute of other traffic after it, so that what got no answer had the time for one.
    frames.append((number * 100000 + 20000000, packet(client, "10.0.0.80", (5000, 9), b"done")))
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for at, frame in frames:
            out.write(struct.pack("<IIII", START + at // 1000000, at % 1000000, len(frame), len(frame)) + frame)


main()
