"""oracle.py: `fleetcap analyze` against tshark: every number that both can say, on captures of real stacks (corpus.py).

A number is equal, or the difference has a rule in RULES, or the test fails.
"""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import shutil
import subprocess
import sys
import time

import corpus
import lab
import tls_scenarios
import tshark

RULES = {
    "dns.time counts from the last time":
        "tshark measures a retried question from the query with the answer's id; a program waits since it first asked",
    "dns.time needs one conversation":
        "tshark pairs query and answer by id within one conversation; without its query it has no time for the answer",
    "a question has one answer":
        "asked again (or by two at about the same time, which looks alike) and answered both times, it was answered by the first; tshark "
        "counts them all",
    "ack_rtt of a repeated SYN":
        "tshark measures the SYN-ACK from the SYN that it answers first; the frames' own times are what is compared",
    "close_notify is how TLS ends":
        "an alert close_notify after the handshake is no failure, so the conversation names none",
    "an encrypted alert has no name on the wire":
        "tshark was given the session's keys and we never are: we say that it is an alert, and whose",
    "what was seen before is sent again":
        "tshark calls a segment out of order by its time alone; one whose bytes the capture has already was sent again, so the sum of both "
        "is the same and fewer are out of order",
}

# What the corpus must have something of, so that an equal zero is no success.
NEEDED = ("handshake time", "first RST's frame", "retransmissions", "out of order", "zero windows", "duplicate ACKs", "DNS latency",
          "DNS rcode", "DNS truncated", "TLS alert's name", "TLS alert is encrypted", "TLS version", "ICMP unreachable",
          "ICMP prohibited", "ICMP tooBig", "ICMP timeExceeded", "ICMP MTU", "dns.time", "ack_rtt of the SYN-ACK")
ICMP_KINDS = ("unreachable", "prohibited", "tooBig", "timeExceeded")


class Tally:
    """What was compared in one file."""

    def __init__(self, file):
        self.file, self.equal, self.explained, self.wrong = file, collections.Counter(), collections.Counter(), []
        self.telling = collections.Counter()  # of those that are equal, the ones that are something

    def same(self, what, ours, theirs, where, rule=None):
        """rule: one of RULES that explains a difference here; None = nothing does."""
        if ours == theirs:
            self.equal[what] += 1
            self.telling[what] += theirs not in (None, 0, False)
        elif rule:
            assert rule in RULES
            self.explained[rule] += 1
        else:
            self.wrong.append(f"{self.file}: {where}: {what}: fleetcap says {ours!r}, tshark {theirs!r}")


def get(value, path):
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def analyze(program, file):
    command = [program, "analyze", file, "--conversations", "--dns", "-o", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


# ---- TCP


def is_retransmission(frame):
    return any(frame.has(f"tcp.analysis.{kind}") for kind in ("retransmission", "fast_retransmission", "spurious_retransmission"))


def side_of(frame, conversation):
    local = conversation["local"]
    return "local" if (frame.source, frame.number("tcp.srcport")) == (local["address"], local["port"]) else "remote"


def handshake(tally, frames, conversation, where):
    syns = [frame for frame in frames if frame.flags & 0x17 == 0x02]
    answers = [frame for frame in frames if frame.flags & 0x17 == 0x12]
    mine = [frame for frame in syns if frame.source == syns[0].source]
    tally.same("SYNs", get(conversation, "tcp.synCount"), len(mine), where)
    took = acknowledged = None
    if answers and mine:
        before = [frame for frame in mine if frame.index < answers[0].index]
        took = answers[0].ns() - before[-1].ns()
        rule = "ack_rtt of a repeated SYN" if len(before) > 1 else None
        tally.same("ack_rtt of the SYN-ACK", get(conversation, "tcp.handshakeNs"), answers[0].ns("tcp.analysis.ack_rtt"), where, rule)
        for frame in frames:
            if frame.index > answers[0].index and frame.source == mine[0].source and frame.flags & 0x16 == 0x10:
                last = [answer for answer in answers if answer.index < frame.index][-1]
                acknowledged = frame.ns() - last.ns()
                break
    tally.same("handshake time", get(conversation, "tcp.handshakeNs"), took, where)
    tally.same("time of the handshake's ACK", get(conversation, "tcp.handshakeAckNs"), acknowledged, where)
    initiator = side_of(syns[0], conversation) if syns else None
    if initiator:
        tally.same("initiator", conversation["initiator"], initiator, where)


def flows(tally, frames, conversation, where):
    for side, flow in (("local", "out"), ("remote", "in")):
        sent = [frame for frame in frames if side_of(frame, conversation) == side]
        data = [frame.number("tcp.len") or 0 for frame in sent]
        ours = conversation[flow]
        tally.same("packets", ours["packets"], len(sent), f"{where} {flow}")
        tally.same("segments with data", ours["dataPackets"], sum(size > 0 for size in data), f"{where} {flow}")
        tally.same("bytes of data", ours["dataBytes"], sum(data), f"{where} {flow}")
        again = [frame for frame in sent if is_retransmission(frame)]
        late = [frame for frame in sent if frame.has("tcp.analysis.out_of_order")]
        rule = None
        if ours["retransmitted"] + ours["outOfOrder"] == len(again) + len(late) and ours["outOfOrder"] < len(late):
            rule = "what was seen before is sent again"
        tally.same("retransmissions", ours["retransmitted"], len(again), f"{where} {flow} {[f.index for f in again]}", rule)
        tally.same("out of order", ours["outOfOrder"], len(late), f"{where} {flow} {[f.index for f in late]}", rule)
        tally.same("retransmitted bytes", ours["retransmittedBytes"], sum(frame.number("tcp.len") for frame in again), f"{where} {flow}",
                   rule)
        tally.same("zero windows", ours["zeroWindow"], sum(frame.has("tcp.analysis.zero_window") for frame in sent), f"{where} {flow}")
        tally.same("duplicate ACKs", ours["duplicateAcks"], sum(frame.has("tcp.analysis.duplicate_ack") for frame in sent),
                   f"{where} {flow}")
        tally.same("bytes the capture missed", ours["unseenBytes"], 0, f"{where} {flow}")


def resets(tally, frames, conversation, where):
    found = [frame for frame in frames if frame.flags & 4]
    tcp = conversation["tcp"]
    tally.same("first RST's frame", tcp["resetFrame"], found[0].index if found else None, where)
    tally.same("first RST's sender", tcp["resetBy"], side_of(found[0], conversation) if found else None, where)
    fins = {frame.source for frame in frames if frame.flags & 1}
    if len(fins) == 2:
        tally.same("FIN from both sides", tcp["outcome"], "closed", where)


# ---- TLS


def tls_of(frames, known):
    """What the frames of a stream say in TLS: versions, suite, names; and alerts."""
    facts = {"clientVersion": None, "version": None, "suite": None, "serverName": None}
    alerts = []
    for frame in frames:
        kinds = frame["tls.handshake.type"]
        versions = [int(value, 0) for value in frame["tls.handshake.extensions.supported_version"]]
        if "1" in kinds:
            real = [version for version in versions if version & 0x0F0F != 0x0A0A]
            version = max(real or [frame.number("tls.handshake.version")])
            facts["clientVersion"] = known["tls.handshake.version", version]
            facts["serverName"] = frame.one("tls.handshake.extensions_server_name")
        if "2" in kinds:
            version = versions[-1] if versions else frame.number("tls.handshake.version")
            facts["version"] = known["tls.handshake.version", version]
            facts["suite"] = known["tls.handshake.ciphersuite", int(frame["tls.handshake.ciphersuite"][-1], 0)]
        for kind, name in ((frame["tls.record.content_type"], None),):
            if "21" in kind:
                levels, descriptions = frame["tls.alert_message.level"], frame["tls.alert_message.desc"]
                number = int(descriptions[0]) if descriptions else None
                name = known["tls.alert_message.desc", number].lower().replace(" ", "_") if descriptions else None
                alerts.append({"frame": frame.index, "number": number, "name": name, "level": int(levels[0]) if levels else None,
                               "opaque": frame.has("tls.record.opaque_type"), "source": frame})
    return facts, alerts


def tls(tally, frames, plain_frames, conversation, known, where):
    """frames: with the keys; plain_frames: as we see them, without."""
    facts, alerts = tls_of(frames, known)
    ours = conversation.get("tls")
    if not any("1" in frame["tls.handshake.type"] for frame in frames):
        return
    if not ours:
        tally.same("TLS", None, "a ClientHello", where)
        return
    for name, value in facts.items():
        tally.same(f"TLS {name}", ours[name], value, where)
    visible = {alert["frame"]: alert for alert in tls_of(plain_frames, known)[1]}
    failures = [alert for alert in alerts if alert["level"] == 2]
    told = ours["alert"]
    if not failures:
        number = told["number"] if told else None
        named = told is not None and (number == 0 or (told["encrypted"] and told["frame"] in {alert["frame"] for alert in alerts}))
        tally.same("TLS alert", bool(told) and not named, False, where)
        if alerts:
            tally.same("TLS close_notify", bool(told), True, where, "close_notify is how TLS ends")
        return
    first = failures[0]
    if not told:
        tally.same("TLS alert", None, first["name"], where)
        return
    tally.same("TLS alert's frame", told["frame"], first["frame"], where)
    tally.same("TLS alert's sender", told["by"], side_of(first["source"], conversation), where)
    seen = visible.get(first["frame"])
    plain = seen is not None and seen["number"] is not None
    tally.same("TLS alert is encrypted", told["encrypted"], not plain, where)
    rule = None if plain else "an encrypted alert has no name on the wire"
    tally.same("TLS alert's number", told["number"], first["number"], where, rule)
    tally.same("TLS alert's name", told["description"], first["name"], where, rule)
    level = told["level"] if isinstance(told["level"], int) or told["level"] is None else {"warning": 1, "fatal": 2}.get(told["level"])
    tally.same("TLS alert's level", level, first["level"], where, rule)


# ---- DNS

RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
TYPES = {1: "A", 16: "TXT", 28: "AAAA"}


def messages(frames):
    """DNS messages: of a frame with several (TCP), each of them."""
    for frame in frames:
        if frame.has("icmp.type") or frame.has("icmpv6.type"):
            continue
        for number, ident in enumerate(frame["dns.id"]):
            yield frame, number, ident, frame["dns.flags.response"][number] not in ("0", "False")


def only_again(transactions, answers):
    """Are all answers that no transaction has to questions that were asked again, and were answered before?"""
    ours, spare = collections.Counter(), collections.Counter()
    for one in transactions:
        if one["answerFrame"] is not None:
            ours[one["name"], one["type"]] += 1
            spare[one["name"], one["type"]] += one["askedCount"] - 1
    theirs = collections.Counter((frame["dns.qry.name"][number].lower(), TYPES.get(int(frame["dns.qry.type"][number])))
                                 for frame, number in answers)
    return not ours - theirs and not theirs - ours - spare


def dns(tally, frames, transactions, where):
    by_frame = {frame.index: frame for frame in frames}
    queries = [(frame, number) for frame, number, _, response in messages(frames) if not response]
    answers = [(frame, number) for frame, number, _, response in messages(frames) if response]
    tally.same("DNS questions, retries counted", sum(one["askedCount"] for one in transactions), len(queries), where)
    for one in transactions:
        here = f"{where} {one['name']} {one['type']} frame {one['frame']}"
        asked = by_frame[one["frame"]]
        names = [name.lower() for name in asked["dns.qry.name"]]
        tally.same("DNS name", one["name"] in names, True, here)
        tally.same("DNS type", one["type"] in [TYPES.get(int(kind)) for kind in asked["dns.qry.type"]], True, here)
        answer = by_frame.get(one["answerFrame"])
        if answer is None:
            tally.same("DNS rcode", one["rcode"], None, here)
            tally.same("DNS latency", one["latencyNs"], None, here)
            if one["askedCount"] == 1 and len(names) == 1:
                tally.same("DNS unanswered", asked.one("dns.response_in"), None, here)
            continue
        number = [name.lower() for name in answer["dns.qry.name"]].index(one["name"])
        tally.same("DNS rcode", one["rcode"], RCODES[int(answer["dns.flags.rcode"][number])], here)
        tally.same("DNS truncated", one["truncated"], answer["dns.flags.truncated"][number] not in ("0", "False"), here)
        tally.same("DNS latency", one["latencyNs"], answer.ns() - asked.ns(), here)
        if len(answer["dns.id"]) == 1:
            rule = None
            if one["askedCount"] > 1:
                rule = "dns.time counts from the last time"
            elif not answer.has("dns.time"):
                rule = "dns.time needs one conversation"
            tally.same("dns.time", one["latencyNs"], answer.ns("dns.time"), here, rule)
    answered = sum(one["answerFrame"] is not None for one in transactions)
    rule = "a question has one answer" if only_again(transactions, answers) else None
    tally.same("DNS answers", answered, len(answers), where, rule)


# ---- ICMP


def icmp_kind(frame):
    kind, code = frame.number("icmp.type"), frame.number("icmp.code")
    if kind is not None:
        if kind == 3:
            return "tooBig" if code == 4 else "prohibited" if code in (9, 10, 13) else "unreachable"
        return "timeExceeded" if kind == 11 else None
    kind, code = frame.number("icmpv6.type"), frame.number("icmpv6.code")
    if kind == 1:
        return "prohibited" if code in (1, 5, 6) else "unreachable"
    return {2: "tooBig", 3: "timeExceeded"}.get(kind)


def quoted(frame):
    """The five-tuple that an ICMP error quotes."""
    sources, destinations = frame["ip.src"] + frame["ipv6.src"], frame["ip.dst"] + frame["ipv6.dst"]
    for protocol in ("tcp", "udp"):
        if frame.has(f"{protocol}.srcport"):
            return (protocol, sources[1], frame.number(f"{protocol}.srcport"), destinations[1], frame.number(f"{protocol}.dstport"))
    return None


def icmp(tally, frames, conversations, where):
    errors = collections.defaultdict(collections.Counter)
    mtus = {}
    for frame in frames:
        kind = icmp_kind(frame) if frame.has("icmp.type") or frame.has("icmpv6.type") else None
        original = quoted(frame) if kind else None
        if original:
            errors[original][kind] += 1
            mtu = frame.number("icmp.mtu") if frame.has("icmp.mtu") else frame.number("icmpv6.mtu")
            if mtu:
                mtus[original] = min(mtu, mtus.get(original, mtu))
    for conversation in conversations:
        local, remote = conversation["local"], conversation["remote"]
        if conversation["protocol"] not in ("tcp", "udp"):
            continue
        key = (conversation["protocol"], local["address"], local["port"], remote["address"], remote["port"])
        sent = errors.pop((key[0], *key[3:], *key[1:3]), None)  # by this side itself: told, but not counted by kind
        ours, theirs = conversation.get("icmp"), errors.pop(key, collections.Counter())
        here = f"{where} {key}"
        tally.same("ICMP errors about it", ours is not None, bool(theirs or sent), here)
        if ours:
            for kind in ICMP_KINDS:
                tally.same(f"ICMP {kind}", ours[kind], theirs[kind], here)
            tally.same("ICMP MTU", ours["mtu"] or None, mtus.get(key), here)
    tally.same("ICMP errors about nothing", sum(map(len, errors.values())), 0, where)


# ---- all of it


def expectations(tally, conversations, expected, name):
    for where, port, facts in expected:
        if where != name:
            continue
        mine = [one for one in conversations if one["protocol"] == "tcp" and port in (one["remote"]["port"], one["local"]["port"])]
        tally.same("conversations of a scenario", bool(mine), True, f"port {port}")
        for path, value in facts.items():
            path = path.replace("__", ".")
            for one in mine:
                tally.same(f"as the scenario means it: {path}", get(one, path), value, f"port {port} frame {one['firstFrame']}")


def datagrams(tally, frames, conversations, where):
    """UDP packets between two addresses; of a fragmented one only what follows its first fragment, which has the ports."""
    theirs, ours, begun = collections.Counter(), collections.Counter(), set()
    for frame in frames:
        if frame.has("icmp.type") or frame.has("icmpv6.type") or "17" not in (
                frame.one("ip.proto"), frame.one("ipv6.nxt"), frame.one("ipv6.fraghdr.nxt")):
            continue
        datagram = (frame.source, frame.destination, frame.one("ipv6.fraghdr.ident") or frame.one("ip.id"))
        if frame.has("udp.srcport"):
            begun.add(datagram)
        if datagram in begun:
            theirs[frame.source, frame.destination] += 1
    for one in conversations:
        if one["protocol"] == "udp":
            ours[one["local"]["address"], one["remote"]["address"]] += one["out"]["packets"]
            ours[one["remote"]["address"], one["local"]["address"]] += one["in"]["packets"]
    for pair in {pair for pair in list(theirs) + list(ours) if theirs[pair] or ours[pair]}:
        tally.same("UDP packets between two addresses", ours[pair], theirs[pair], f"{where} {pair}")


def compare(program, file, expected, known):
    name = os.path.basename(file).rsplit(".", 1)[0]
    tally = Tally(name)
    keys = tls_scenarios.KEYS if name.startswith("tls") else None
    frames = list(tshark.frames(file, keys))
    plain = list(tshark.frames(file)) if keys else frames
    said = analyze(program, file)
    conversations = said["conversations"]
    by_frame = {one["firstFrame"]: one for one in conversations if one["protocol"] == "tcp"}
    streams, plain_streams = tshark.streams(frames), tshark.streams(plain)
    for number, of_stream in sorted(streams.items()):
        first = of_stream[0]
        where = f"stream {number} port {first.one('tcp.dstport')}"
        one = by_frame.pop(first.index, None)
        if one is None:
            tally.same("TCP conversation", None, f"first frame {first.index}", where)
            continue
        handshake(tally, of_stream, one, where)
        flows(tally, of_stream, one, where)
        resets(tally, of_stream, one, where)
        tls(tally, of_stream, plain_streams[number], one, known, where)
        if first.has("communityid"):
            tally.same("Community ID", one["communityId"], first.one("communityid"), where)
    tally.same("TCP conversations that tshark does not have", len(by_frame), 0, name)
    dns(tally, plain, said["dns"], name)
    icmp(tally, plain, conversations, name)
    datagrams(tally, plain, conversations, name)
    expectations(tally, conversations, expected, name)
    # Of the file without Ethernet headers, ARP is left as something that is no IP packet.
    strange = 0 if name != "rawip" else sum(not frame.source for frame in frames)
    tally.same("packets not understood", said["profiles"][0]["counters"].get("packetsUndecoded", 0), strange, name)
    return tally


def report(tallies, seconds, is_whole):
    equal, explained, telling = collections.Counter(), collections.Counter(), collections.Counter()
    for tally in tallies:
        equal.update(tally.equal)
        telling.update(tally.telling)
        explained.update(tally.explained)
    width = max(len(what) for what in equal)
    print(f"{'compared':{width}}  equal  of them not nothing")
    for what, count in sorted(equal.items()):
        print(f"{what:{width}}  {count:5}  {telling[what]}")
    for rule, count in explained.items():
        print(f"explained {count}: {rule}: {RULES[rule]}")
    wrong = [line for tally in tallies for line in tally.wrong]
    if is_whole:
        wrong += [f"the corpus has nothing to compare: {what}" for what in NEEDED if not telling[what]]
    for line in wrong:
        print(f"DIFFERENT: {line}")
    made = f"; corpus made in {seconds:.0f} s" if is_whole else ""
    total = sum(equal.values()) + sum(explained.values()) + len(wrong)
    print(f"oracle: {len(tallies)} files, {total} numbers compared, {sum(equal.values())} equal, {sum(explained.values())} explained, "
          f"{len(wrong)} different{made}")
    return not wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--keep", help="copy the captures there")
    parser.add_argument("--files", nargs="+", help="these captures, not the corpus")
    parser.add_argument("cells", nargs="*")
    options = parser.parse_args()
    began, expected, files = time.monotonic(), [], options.files
    if not files:
        lab.sandbox()
        expected = [one for cell in corpus.make(options.cells) for one in cell.expected]
        files = sorted(glob.glob(f"{lab.FILES}/*.pcap*"))
    seconds = time.monotonic() - began
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
        for file in files + [tls_scenarios.KEYS] * os.path.exists(tls_scenarios.KEYS):
            shutil.copy(file, options.keep)
    known = tshark.names()
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        tallies = list(pool.map(lambda file: compare(options.program, file, expected, known), files))
    sys.exit(0 if report(tallies, seconds, not options.cells and not options.files) else 1)


if __name__ == "__main__":
    main()
