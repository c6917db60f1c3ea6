"""heartbeat.py: what a firmware update has brought: a line to the vendor, twice a second. heartbeat.py NAME PORT"""
import contextlib
import socket
import sys
import time


def main():
    while True:
        with contextlib.suppress(OSError), socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as opened:
            opened.sendall(b"heartbeat controller=apex-7 firmware=4.2.1 state=inspecting\n")
            opened.recv(100)
        time.sleep(0.5)


main()
