"""collector.py: what a vendor's telemetry talks to: reads a line, says ok. collector.py ADDRESS PORT"""
import contextlib
import socket
import sys
import threading


def heartbeat(connection):
    connection.settimeout(5)
    with contextlib.suppress(OSError), connection:
        if connection.recv(1000):
            connection.sendall(b"ok\n")


def main():
    with socket.create_server((sys.argv[1], int(sys.argv[2]))) as opened:
        while True:
            connection, _ = opened.accept()
            threading.Thread(target=heartbeat, args=(connection,), daemon=True).start()


main()
