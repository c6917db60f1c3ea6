"""tls_scenarios.py: TLS handshakes that end in every way and place; one server port per scenario, from 4400 on.

The server speaks TLS into memory (ssl.MemoryBIO), so that it can stop between two records: it sends so many of its own, then resets,
closes, or says nothing any more.
"""
import socket
import ssl
import struct
import threading
import time

import lab

FIRST_PORT, LAST_PORT = 4400, 4499
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
KEYS = f"{lab.FILES}/keys.log"


class Stop(Exception):
    """The server has sent its last record."""


def server_context(pki, version, certificate="server", verify=None, curve=None, ciphers=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(pki.path(certificate, "crt"), pki.path(certificate, "key"))
    context.keylog_filename = KEYS
    context.set_alpn_protocols(["h2", "http/1.1"])
    if verify is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(pki.path(verify, "crt"))
    if curve:
        context.set_ecdh_curve(curve)
    if ciphers:
        context.set_ciphers(ciphers)
    return context


def client_context(pki, version, trusts="ca", certificate=None, ciphers=None, alpn=()):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(pki.path(trusts, "crt"))
    if certificate:
        context.load_cert_chain(pki.path(certificate, "crt"), pki.path(certificate, "key"))
    if ciphers:
        context.set_ciphers(ciphers)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


class Server:
    """One connection: a handshake, then an answer to every request. records: how many of its own it sends before it ends in the way
    `how`; at: "hello", "handshake" or "data" instead of a number."""

    def __init__(self, connection, context, records=None, at=None, how=None):
        self.connection, self.records, self.at, self.how, self.sent = connection, records, at, how, 0
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def run(self):
        try:
            if self.at == "hello":
                self.connection.recv(65536)
                raise Stop
            self.until(self.tls.do_handshake)
            if self.at == "handshake":
                raise Stop
            while self.until(lambda: self.tls.read(65536)):
                self.tls.write(b"a" * 2000)
                self.flush()
                if self.at == "data":
                    raise Stop
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            self.flush()
            self.connection.close()
        except Stop:
            self.end()
        except ssl.SSLError:  # the alert goes out, then the connection ends
            self.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.drain()
            self.connection.close()

    def until(self, work):
        while True:
            try:
                done = work()
                self.flush()
                return done
            except ssl.SSLWantReadError:
                self.flush()
                data = self.connection.recv(65536)
                if not data:
                    self.connection.close()
                    raise OSError("closed by the client")
                self.incoming.write(data)

    def flush(self):
        data = self.outgoing.read()
        if self.records is None:
            if data:
                self.connection.sendall(data)
            return
        allowed = b""
        while len(data) >= 5 and self.sent < self.records:
            size = 5 + struct.unpack_from("!H", data, 3)[0]
            allowed, data, self.sent = allowed + data[:size], data[size:], self.sent + 1
        if allowed:
            self.connection.sendall(allowed)
        if self.sent >= self.records:
            raise Stop

    def drain(self):
        try:
            while self.connection.recv(65536):
                pass
        except OSError:
            pass

    def end(self):
        time.sleep(0.03)
        if self.how == "rst":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif self.how == "fin":
            self.connection.shutdown(socket.SHUT_WR)
            self.drain()
            self.connection.close()
        else:
            time.sleep(8)
            self.connection.close()


def request(context, opened, name, session=None):
    """Returns the session."""
    with context.wrap_socket(opened, server_hostname=name, session=session) as tls:
        for _ in range(2):
            tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
            tls.recv(65536)
        session = tls.session
        tls.settimeout(1)
        tls.unwrap()
        return session


class Scenarios:
    def __init__(self, cell, version):
        self.cell, self.version, self.pki, self.port, self.works = cell, version, cell.pki, FIRST_PORT, []

    def add(self, name="app.corp.example", server=None, client=None, fails=True, ending=None, twice=False, work=None, **facts):
        """server, client: contexts; ending: of Server; fails: None = it may; facts: of the conversation, as the scenario means them."""
        port, self.port = self.port, self.port + 1
        server = server or server_context(self.pki, self.version)
        client = client or client_context(self.pki, self.version)
        self.cell.listen(port, lambda connection: Server(connection, server, **(ending or {})).run())

        def attempt():
            session = None
            for _ in range(2 if twice else 1):
                try:
                    opened = self.cell.connect(port, timeout=1.8 if (ending or {}).get("how") == "silence" else 8)
                    session = work(opened) if work else request(client, opened, name, session)
                    failed = False
                except OSError:
                    opened.close()
                    failed = True
                if fails is not None and failed != fails:
                    raise RuntimeError(f"TLS scenario on port {port} did not go as it was meant to")
        self.works.append(attempt)
        if facts:
            self.cell.expect(port, **facts)

    def good(self):
        self.add(fails=False, tls__stage="data", tls__end="none", tls__serverName="app.corp.example")
        self.add(fails=False, client=client_context(self.pki, self.version, alpn=["h2"]), tls__alpn="h2", tls__stage="data")
        self.add(fails=False, server=server_context(self.pki, self.version, verify="ca"),
                 client=client_context(self.pki, self.version, certificate="client"), tls__stage="data")
        self.add(fails=False, twice=True)

    def rejected(self):
        """By either side, with an alert."""
        alert = {"tls__end": "alert"}
        server, client, version, pki = server_context, client_context, self.version, self.pki
        self.add(client=client(pki, version, trusts="stranger"), tls__endBy="local", **alert)
        self.add(server=server(pki, version, certificate="expired"), tls__endBy="local", **alert)
        self.add(name="elsewhere.example", tls__endBy="local", **alert)
        self.add(server=server(pki, version, verify="ca"), tls__endBy="remote", **alert)
        self.add(server=server(pki, version, verify="ca"), client=client(pki, version, certificate="foreign"), tls__endBy="remote", **alert)
        other = V12 if version == V13 else V13
        self.add(server=server(pki, other), tls__endBy="remote", **alert)
        refusing = server(pki, version)
        refusing.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        self.add(server=refusing, tls__endBy="remote", **alert)
        if version == V12:
            self.add(client=client(pki, version, ciphers="ECDHE-RSA-AES128-GCM-SHA256"), tls__endBy="remote", **alert)
        else:
            self.add(server=server(pki, version, curve="secp384r1"), fails=False, tls__stage="data")

    def cut_off(self):
        """By the server, between two records."""
        stages = [({"at": "hello"}, "clientHello"), ({"records": 1}, "serverHello")]
        if self.version == V12:
            stages += [({"records": 2}, "certificate"), ({"records": 4}, None)]
        else:
            stages += [({"records": 3}, None)]
        for where, stage in stages:
            for how in ("rst", "fin", "silence"):
                facts = {"tls__end": how, "tls__endBy": "remote"} | ({"tls__stage": stage} if stage else {})
                if how == "silence":  # the client has enough of it, and closes
                    facts |= {"tls__end": "fin", "tls__endBy": "local"}
                if how == "rst":
                    facts |= {"tcp__resetBy": "remote", "tcp__resetPhase": "tls", "tcp__outcome": "reset"}
                self.add(ending=where | {"how": how}, **facts)
        self.add(ending={"at": "handshake", "how": "rst"}, tcp__resetBy="remote")
        self.add(ending={"at": "data", "how": "rst"}, tcp__resetBy="remote", tcp__resetPhase="data", tls__stage="data")
        self.add(ending={"at": "data", "how": "fin"}, fails=None, tls__stage="data")

    def given_up(self):
        """By the client, after the server's first record."""
        def hello_only(how):
            def work(opened):
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = client_context(self.pki, self.version).wrap_bio(incoming, outgoing, server_hostname="app.corp.example")
                try:
                    tls.do_handshake()
                except ssl.SSLWantReadError:
                    opened.sendall(outgoing.read())
                time.sleep(0.1)
                while len(opened.recv(65536)) == 65536:
                    pass
                if how == "rst":
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                opened.close()
            return work

        self.add(work=hello_only("rst"), fails=False, tls__end="rst", tls__endBy="local", tcp__resetBy="local", tcp__resetPhase="tls")
        self.add(work=hello_only("fin"), fails=False, tls__end="fin", tls__endBy="local")


def all_of(cell, version):
    scenarios = Scenarios(cell, version)
    scenarios.good()
    scenarios.rejected()
    scenarios.cut_off()
    scenarios.given_up()
    threads, troubles = [], []

    def attempt(work):
        try:
            work()
        except Exception as trouble:  # on a thread: told below
            troubles.append(trouble)

    for work in scenarios.works:
        threads.append(threading.Thread(target=attempt, args=(work,)))
        threads[-1].start()
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    if troubles:
        raise RuntimeError(f"TLS: {troubles}")
