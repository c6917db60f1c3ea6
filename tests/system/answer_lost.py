#!/usr/bin/env python3
"""A way to the coordinator on which one answer is lost, the one that says that something was done.

    answer_lost.py HOST:PORT DATABASE QUERY

Listens on a port of 127.0.0.1, which it prints, and passes everything on, until the query's number in the coordinator's
database is more than at the start: what was to be passed on to the client next is dropped, and the connection cut. What
is written there is written before it is answered, so that it is the answer which is lost. After that nothing is.
It prints "lost" then, and ends when it is killed.
"""
import socket
import sqlite3
import sys
import threading


def number(database, query):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60) as store:
        return store.execute(query).fetchone()[0]


def pump(source, sink, may_pass):
    try:
        while data := source.recv(65536):
            if not may_pass():
                break
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    database, query = sys.argv[2:4]
    before = number(database, query)
    lost = threading.Event()

    def answer_may_pass():
        if lost.is_set() or number(database, query) == before:
            return True
        lost.set()
        print("lost", flush=True)
        return False

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        server = socket.create_connection((host.strip("[]"), int(port)))
        for ends in ((client, server, lambda: True), (server, client, answer_may_pass)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


main()
