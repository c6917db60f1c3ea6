"""partner.py: a partner's appliance: takes uploads over TLS 1.2, from whoever shows a certificate that it accepts.

    partner.py ADDRESS CERTIFICATE KEY CLIENT_CA
"""
import contextlib
import socket
import ssl
import sys
import threading


def context(certificate, key, client_ca):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(certificate, key)
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(client_ca)
    return made


def upload(connection, made):
    """One PUT of curl's; what is in it does not matter."""
    connection.settimeout(5)
    with contextlib.suppress(OSError), connection:
        with made.wrap_socket(connection, server_side=True) as tls, tls.makefile("rb") as request:
            size = 0
            for line in iter(request.readline, b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
                if line.lower().startswith(b"expect:"):
                    tls.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.read(size)
            tls.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            request.read()  # until the client has closed


def main():
    made = context(*sys.argv[2:5])
    with socket.create_server((sys.argv[1], 443)) as opened:
        while True:
            connection, _ = opened.accept()
            threading.Thread(target=upload, args=(connection, made), daemon=True).start()


main()
