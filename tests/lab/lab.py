"""lab.py: network namespaces, cables and captures for the tests that decide what is true.

A test runs in a sandbox of its own (lab.sh): private network, mount and PID namespaces. Nothing in it has a name outside, and when the
test ends, however it ends, the kernel takes all of it away: namespaces, processes, files. So names and addresses need not be unique.

A Net is a named network namespace. Its sockets are made in it and can be used from any thread; its programs are children of the test.
"""
import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = "/mnt"  # a tmpfs of the sandbox
CLONE_NEWNET = 0x40000000
SIOCETHTOOL = 0x8946
# linux/ethtool.h: checksum, segmentation and coalescing; off, so that what is captured is what a wire carries.
ETHTOOL_OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)  # STXCSUM, STSO, SGSO, SGRO

libc = ctypes.CDLL(None, use_errno=True)


def run(*command, check=True):
    """Runs a command, returns what it said on stdout; on failure says what it said on stderr."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def sandbox():
    """Makes the sandbox's own directories. Refuses to run outside of one."""
    if os.getpid() != 1:
        sys.exit("lab: to be run by lab.sh, in a sandbox")
    os.makedirs("/run/netns", exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run/netns")
    run("mount", "-t", "tmpfs", "-o", "mode=755,size=2g", "tmpfs", FILES)
    run("ip", "link", "set", "lo", "up")


class Inside:
    """The calling thread is in that network namespace for as long as this lasts."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        enter(there)
        os.close(there)

    def __exit__(self, *_):
        enter(self.home)
        os.close(self.home)


def enter(descriptor):
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Net:
    """A network namespace with loopback up."""

    def __init__(self, name, resolv=None):
        self.name, self.resolv_conf = name, None
        run("ip", "netns", "add", name)
        self.ip("link set lo up")
        if resolv is not None:
            self.resolv(resolv)

    def resolv(self, text):
        """What programs that are started here from now on find in /etc/resolv.conf."""
        self.resolv_conf = f"{FILES}/{self.name}.resolv.conf"
        with open(self.resolv_conf, "w") as file:
            file.write(text)

    def ip(self, *lines):
        """ip commands, one a line."""
        done = subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(lines) + "\n", text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise RuntimeError(f"ip in {self.name}: {done.stderr.strip()} ({'; '.join(lines)})")

    def sysctl(self, key, value):
        with Inside(self.name):
            # Network sysctls are those of the thread that opens them.
            with open("/proc/sys/" + key.replace(".", "/"), "w") as file:
                file.write(str(value))

    def inside(self):
        return Inside(self.name)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        with Inside(self.name):
            made = socket.socket(family, kind, protocol)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def spawn(self, *command, **options):
        """Starts a program here; it dies with the sandbox."""
        enter_net = ("nsenter", f"--net=/run/netns/{self.name}")
        if self.resolv_conf:
            enter_net += ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', self.resolv_conf)
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(enter_net + command, **options)

    def plain(self, interface="eth0"):
        """Turns offloads off."""
        with Inside(self.name):
            control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for command in ETHTOOL_OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sQ16x", interface.encode(), ctypes.addressof(value))
            fcntl.ioctl(control, SIOCETHTOOL, request)
        control.close()


def cable(a, a_interface, b, b_interface):
    """A veth pair; both ends up."""
    run("ip", "link", "add", a_interface, "netns", a.name, "type", "veth", "peer", "name", b_interface, "netns", b.name)
    for net, interface in ((a, a_interface), (b, b_interface)):
        net.ip(f"link set {interface} up")


class Wire:
    """A bad cable between two namespaces: both ends lead to wire.py, which forwards, delays, drops. It takes orders."""

    def __init__(self, name, a, a_interface, b, b_interface, *options):
        self.middle = Net(name)
        cable(a, a_interface, self.middle, "left")
        cable(b, b_interface, self.middle, "right")
        for net, interface in ((a, a_interface), (b, b_interface), (self.middle, "left"), (self.middle, "right")):
            net.plain(interface)
        self.process = self.middle.spawn(sys.executable, f"{HERE}/wire.py", "left", "right", *options, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the wire {name} did not start")

    def order(self, line):
        """ "cut", "mend"."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def stop(self):
        """Returns what it did, as a dictionary of counters."""
        self.process.stdin.close()
        said = self.process.stdout.read()
        self.process.wait()
        return {key: int(value) for key, value in re.findall(r"(\S+)=(\d+)", said)}


def has_read_all(process, settle_s):
    """Waits until a capture program sleeps, at several looks in a row: then it has read what there was. On a busy machine it may lag."""
    time.sleep(settle_s)
    asleep, deadline = 0, time.monotonic() + 30
    while asleep < 5 and time.monotonic() < deadline:
        with open(f"/proc/{process.pid}/stat") as file:
            asleep = asleep + 1 if file.read().rpartition(")")[2].split()[0] == "S" else 0
        time.sleep(0.01)


class Capture:
    """tcpdump in a namespace."""

    def __init__(self, net, file, interface="eth0", *options):
        self.file = file
        self.process = net.spawn("tcpdump", "-i", interface, "-w", file, "-U", "-n", "-B", "16384", "--immediate-mode",
                                 "--time-stamp-precision=nano", "-Z", "root", *options, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening on" in line:
                return
        raise RuntimeError(f"tcpdump did not start for {file}")

    def stop(self, settle_s=0.15):
        """Waits for what is under way, ends it, and returns the number of packets that it dropped."""
        has_read_all(self.process, settle_s)
        self.process.send_signal(signal.SIGINT)
        said = self.process.stderr.read()
        self.process.wait()
        found = re.search(r"(\d+) packets? dropped by kernel", said)
        return int(found.group(1)) if found else 0


class Pki:
    """Certificates of one made-up organisation, by openssl: ca, and what it (or `stranger`, another CA) has signed."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        for ca in ("ca", "stranger"):
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", f"/CN={ca}.example", "-keyout", self.path(ca, "key"), "-out", self.path(ca, "crt"))
        self.issue("server", "ca", "*.corp.example")
        self.issue("expired", "ca", "*.corp.example", past=True)
        self.issue("client", "ca", "client.corp.example")
        self.issue("foreign", "stranger", "client.corp.example")

    def path(self, name, kind):
        return f"{self.directory}/{name}.{kind}"

    def issue(self, name, ca, dns, past=False):
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={dns}",
            "-addext", f"subjectAltName=DNS:{dns}", "-keyout", self.path(name, "key"), "-out", self.path(name, "csr"))
        if past:
            with open(self.path(name, "cnf"), "w") as file:
                file.write(f"[ca]\ndefault_ca=c\n[c]\ndatabase={self.path(name, 'db')}\nrand_serial=yes\ndefault_md=sha256\n"
                           f"policy=p\nnew_certs_dir={self.directory}\ncopy_extensions=copy\n[p]\ncommonName=supplied\n")
            open(self.path(name, "db"), "w").close()
            run("openssl", "ca", "-batch", "-notext", "-config", self.path(name, "cnf"), "-cert", self.path(ca, "crt"), "-keyfile",
                self.path(ca, "key"), "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-in", self.path(name, "csr"),
                "-out", self.path(name, "crt"))
            return
        run("openssl", "x509", "-req", "-in", self.path(name, "csr"), "-CA", self.path(ca, "crt"), "-CAkey", self.path(ca, "key"),
            "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out", self.path(name, "crt"))
