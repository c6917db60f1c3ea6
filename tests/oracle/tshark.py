"""tshark.py: what tshark says of a capture, frame by frame, as values."""
import collections
import subprocess

FIELDS = (
    "frame.number frame.time_epoch eth.type vlan.id ip.src ip.dst ip.proto ipv6.src ipv6.dst ipv6.nxt ip.id "
    "ipv6.fraghdr.ident ipv6.fraghdr.nxt communityid "
    "tcp.stream tcp.srcport tcp.dstport tcp.flags tcp.len tcp.analysis.retransmission tcp.analysis.fast_retransmission "
    "tcp.analysis.spurious_retransmission tcp.analysis.out_of_order tcp.analysis.zero_window tcp.analysis.duplicate_ack "
    "tcp.analysis.ack_rtt tcp.analysis.acks_frame tcp.analysis.keep_alive udp.srcport udp.dstport "
    "dns.id dns.flags.response dns.flags.rcode dns.flags.truncated dns.qry.name dns.qry.type dns.time dns.response_to dns.response_in "
    "tls.record.content_type tls.record.opaque_type tls.handshake.type tls.handshake.version "
    "tls.handshake.extensions.supported_version tls.handshake.ciphersuite tls.handshake.extensions_server_name "
    "tls.handshake.extensions_alpn_str tls.alert_message.level tls.alert_message.desc "
    "icmp.type icmp.code icmp.mtu icmpv6.type icmpv6.code icmpv6.mtu").split()

# Each capture is judged packet by packet: fragments are not put together, because a capture of one instance need not have them all.
OPTIONS = ("-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-d", "tcp.port==4400-4499,tls", "--enable-protocol", "communityid")


class Frame(dict):
    """A frame's fields: each a list of texts, for a field can occur more than once."""

    def one(self, field, default=None):
        values = self[field]
        return values[0] if values else default

    def number(self, field):
        value = self.one(field)
        return None if value is None else int(value, 0)

    def has(self, field):
        return bool(self[field])

    def ns(self, field="frame.time_epoch"):
        value = self.one(field)
        if value is None:
            return None
        seconds, _, rest = value.partition(".")
        return int(seconds) * 10**9 + int((rest + "0" * 9)[:9])

    @property
    def index(self):
        return self.number("frame.number")

    @property
    def source(self):
        return self.one("ip.src") or self.one("ipv6.src")

    @property
    def destination(self):
        return self.one("ip.dst") or self.one("ipv6.dst")

    @property
    def flags(self):
        return self.number("tcp.flags") or 0


def frames(file, keys=None):
    command = ["tshark", "-n", "-r", file, *OPTIONS, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=|"]
    if keys:
        command += ["-o", f"tls.keylog_file:{keys}"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"tshark cannot read {file}: {done.stderr}")
    for line in done.stdout.splitlines():
        yield Frame((field, value.split("|") if value else []) for field, value in zip(FIELDS, line.split("\t")))


def names():
    """{(field, number): name} of the fields whose numbers have names."""
    said = subprocess.run(["tshark", "-G", "values"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    wanted = ("tls.handshake.ciphersuite", "tls.handshake.version", "tls.alert_message.desc", "dns.flags.rcode")
    found = {}
    for line in said.splitlines():
        parts = line.split("\t")
        if parts[0] == "V" and parts[1] in wanted:
            found[parts[1], int(parts[2], 0)] = parts[3]
    return found


def streams(all_frames):
    """TCP streams: {stream: frames}. What an ICMP error quotes is not a segment."""
    found = collections.defaultdict(list)
    for frame in all_frames:
        if frame.has("tcp.stream") and not frame.has("icmp.type") and not frame.has("icmpv6.type"):
            found[frame.number("tcp.stream")].append(frame)
    return found
