"""faults.py: what can be wrong with one instance of six, and what the verdict must say of it.

A fault changes a Plan: the victim's resolv.conf, its job, its cable, the router's rules for it, how services treat it.
"""
import dataclasses
import re


USUALLY_S = 11.0
RARELY_S = 22.0  # for what happens to few of the things that a job does, or takes it long to get over


@dataclasses.dataclass
class Plan:
    victim: str = ""                                          # its address
    resolv: str = "nameserver 10.2.0.53\nsearch corp.example\noptions timeout:1 attempts:2\n"
    job: dict = dataclasses.field(default_factory=dict)       # settings of job.py
    wire: tuple = ()                                          # options of wire.py
    rules: tuple = ()                                         # of the router: "ip rule add" arguments
    routes: tuple = ()                                        # of the router's table 77
    dns: str = ""                                             # the first label with which the resolver confuses all of its names
    services: dict = dataclasses.field(default_factory=dict)  # settings of services.py
    silent: bool = False
    offloads: bool = False


@dataclasses.dataclass
class Fault:
    name: str
    plan: object   # address -> Plan
    cause: str     # a regular expression that the verdict matches
    quick: bool = False  # in ./check too
    seconds: float = USUALLY_S  # of traffic

    def told_by(self, verdict):
        return re.search(self.cause, verdict, re.IGNORECASE) is not None


def fault(name, cause, quick=False, seconds=USUALLY_S, **changes):
    """{ip} in the changes is the victim's address."""
    def fill(value, address):
        if isinstance(value, str):
            return value.replace("{ip}", address)
        if isinstance(value, tuple):
            return tuple(fill(one, address) for one in value)
        if isinstance(value, dict):
            return {key: fill(one, address) for key, one in value.items()}
        return value

    def plan(address):
        return Plan(victim=address, **{key: fill(value, address) for key, value in changes.items()})

    return Fault(name, plan, cause, quick, seconds)


FROM = "from {ip} lookup 77"
GOOD = "nameserver 10.2.0.53\nsearch corp.example\noptions timeout:1 attempts:2\n"

FAULTS = [
    fault("stale resolver first", r"no answer.*10\.66\.0\.53|10\.66\.0\.53.*(no answer|answers none)", quick=True,
          resolv="nameserver 10.66.0.53\n" + GOOD),
    fault("slow resolver", r"DNS.*(slow|take|wait)", dns="slow250"),
    fault("resolver slower than a second", r"DNS.*(slow|second|again)", dns="slow1300"),
    fault("SERVFAIL", r"SERVFAIL", dns="servfail"),
    fault("REFUSED by the resolver", r"DNS.*REFUSED", dns="refused"),
    fault("wrong search list", r"NXDOMAIN|wrong\.example", quick=True,
          resolv=GOOD.replace("search ", "search wrong.example ")),
    fault("truncated answers", r"truncated|\bTC\b|over TCP", dns="tc"),
    fault("refused port", r"refused.*8444|8444.*refused", quick=True, job={"port": "8444"}),
    fault("filtered port", r"no answer.*443|443.*no answer", seconds=RARELY_S, rules=("from {ip} ipproto tcp dport 443 blackhole",)),
    fault("reset in the TLS handshake", r"TLS.*reset.*443|443.*reset", services={"reset": "{ip}"}),
    fault("client rejects the certificate", r"alert.*unknown_ca", quick=True, job={"ca": "stranger"}),
    fault("server rejects the client's certificate", r"8443.*alert of the other side.*unknown_ca",
          job={"certificate": "foreign"}),
    fault("TLS versions do not match", r"protocol_version", job={"tls12": "1"}),
    fault("10 % loss on the way out", r"loss|lose|retransmi|sent again|send again", wire=("ab:loss=0.1",)),
    fault("2 % loss both ways", r"loss|lose|retransmi|sent again|send again", wire=("loss=0.02",)),
    fault("50 ms more latency", r"latency|round trip|handshake.*take", wire=("delay=0.025",)),
    fault("reordering", r"order", wire=("reorder=0.05", "behind=0.002")),
    fault("MTU black hole", r"MTU black hole|large segments", seconds=RARELY_S, wire=("bigger=1300",)),
    fault("smaller MTU, with ICMP", r"too big|fragmentation needed|smaller MTU", rules=(FROM,),
          routes=("10.2.0.0/24 dev far mtu lock 1300",)),
    fault("does not read", r"zero window|does not read", seconds=RARELY_S, job={"reads": "slow"}),
    fault("a firewall that forgets connections", r"half.open|fell silent", seconds=RARELY_S, wire=("state=9000:30",)),
    fault("administratively prohibited", r"prohibited", rules=("from {ip} to 10.2.0.20 prohibit",)),
    fault("host unreachable", r"unreachable", rules=(FROM,), routes=("unreachable 10.2.0.20", "10.2.0.0/24 dev far")),
    fault("a neighbour that is not there", r"ARP|neighbour", seconds=RARELY_S, job={"cache": "10.1.0.200"}),
    fault("a destination that nobody else has", r"203\.0\.113\.9", job={"extra": "203.0.113.9:4444"}),
    fault("silent", r"no (packets|traffic)|silent|nothing|fewer (packets|bytes)|quiet", silent=True),
    fault("slow server", r"first byte|slow to answer", services={"slow": "{ip}:0.6"}),
    fault("no answer to UDP", r"no answer.*(UDP|123)|UDP.*no answer", seconds=RARELY_S,
          rules=("from {ip} ipproto udp dport 123 blackhole",)),
]
