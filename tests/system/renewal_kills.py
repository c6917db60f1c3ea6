#!/usr/bin/env python3
"""renewal_kills.py: kills nodes while they renew their certificates, and looks at what is left.

    renewal_kills.py --fleet FLEET --kills N --seed S MEMBERS NAME...

MEMBERS/NAME is the directory of a running, enrolled member of a fleet; FLEET starts it again. Each round: a renewal is
begun (SIGUSR1), and at a random moment of it daemon and monitor are killed at once (SIGKILL). Half of the moments are
spread over the whole renewal, half begin when the new file appears, and are spread over the writing. Then key and
certificate in node.pem must belong together and be of the CA in ca.crt (by openssl), and the restarted node must be let in
with it. It goes on until N kills have hit a renewal under way, and prints when the kills hit.
"""
import argparse
import collections
import ctypes
import multiprocessing
import os
import pathlib
import random
import select
import signal
import subprocess
import sys
import time

WAIT_S = 60
ROUNDS_PER_KILL = 5  # at most: a busy machine kills too late
IN_MODIFY, IN_CREATE = 0x2, 0x100  # inotify(7)
LIBC = ctypes.CDLL(None, use_errno=True)
BEFORE, ASKED = "before the request", "between the request and the new file"
WRITING, RENAMED = "while the new file was written", "between the rename and the end of the renewal"
AFTER = "after the renewal"
UNDER_WAY = (ASKED, WRITING, RENAMED)


class Broken(Exception):
    pass


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        raise Broken(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def until(what, condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise Broken(f"{what}: not within {WAIT_S} s")
        time.sleep(0.002)


class Member:
    def __init__(self, fleet, members, name, rng):
        self.fleet, self.name, self.rng = fleet, name, rng
        self.home = members / name
        self.state = self.home / "state"
        self.node_pem, self.fresh = self.state / "node.pem", self.state / "node.pem.tmp"
        self.log = self.home / "log"
        self.hits = collections.Counter()
        self.mark = 0  # where in the log this life begins
        self.watch = LIBC.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        events = IN_MODIFY | IN_CREATE  # what a kill has left half-made is written again, not made
        if self.watch < 0 or LIBC.inotify_add_watch(self.watch, str(self.state).encode(), events) < 0:
            raise Broken(f"cannot watch {self.state}")
        self.renewal_s = self.writing_s = 0.0  # how long one takes from the signal, and from the new file; measured

    def said(self, text):
        with open(self.log, "rb") as log:
            log.seek(self.mark)
            return text.encode() in log.read()

    def pids(self):
        leader = (self.home / "pid").read_text().strip()
        return [int(pid) for pid in run("ps", "-o", "pid=", "-s", leader).split()]

    def start(self):
        self.mark = self.log.stat().st_size
        run(self.fleet, "start", self.name)
        until(f"{self.name} is let in", lambda: self.said("connected to coordinator"))

    def renew(self):
        os.kill(int((self.home / "pid").read_text()), signal.SIGUSR1)
        return time.monotonic()

    def kill(self, pids):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        until(f"{self.name} is dead", lambda: not any(alive(pid) for pid in pids))

    def serial(self):
        return run("openssl", "x509", "-in", str(self.node_pem), "-noout", "-serial")

    def check(self):
        pem = str(self.node_pem)
        if run("openssl", "x509", "-in", pem, "-noout", "-pubkey") != run("openssl", "pkey", "-in", pem, "-pubout"):
            raise Broken(f"{self.name}: node.pem is a key and another one's certificate")
        run("openssl", "verify", "-CAfile", str(self.state / "ca.crt"), pem)
        if self.node_pem.stat().st_mode & 0o777 != 0o600:
            raise Broken(f"{self.name}: others can read node.pem")

    def measure(self):
        """A renewal that nobody disturbs: how long it takes, and its writing."""
        self.mark = self.log.stat().st_size
        self.forget_files()
        begin = self.renew()
        self.wait_for_file()
        writing = time.monotonic()
        until(f"{self.name} renews", lambda: self.said("certificate renewed"))
        self.renewal_s, self.writing_s = time.monotonic() - begin, time.monotonic() - writing

    def wait_for_file(self):
        """Until something is written in the state directory; what was written before does not count."""
        if not select.select([self.watch], [], [], WAIT_S)[0]:
            raise Broken(f"{self.name}: no renewal begins to write within {WAIT_S} s")

    def forget_files(self):
        try:
            os.read(self.watch, 65536)
        except BlockingIOError:
            pass

    def round(self, number):
        before, pids = self.serial(), self.pids()
        self.mark = self.log.stat().st_size
        self.forget_files()
        os.setpriority(os.PRIO_PROCESS, 0, -10)  # to be in time
        begin = self.renew()
        if number % 2 == 0:
            delay = self.rng.uniform(0, self.renewal_s)
        else:
            delay = self.rng.uniform(0, self.writing_s * 0.8)
            self.wait_for_file()
            begin = time.monotonic()
        while time.monotonic() - begin < delay:
            pass  # a sleep is too coarse
        self.kill(pids)
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        self.check()
        moment = self.moment(before)
        self.hits[moment] += 1
        return moment in UNDER_WAY

    def moment(self, before):
        """Where in the renewal it was killed, by what is left."""
        if self.fresh.exists():
            return WRITING
        if self.serial() != before:
            return AFTER if self.said("certificate renewed") else RENAMED
        return ASKED if self.said("renewing the certificate") else BEFORE


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def work(member, kills, results):
    failure, left, number = None, kills, 0
    try:
        while left > 0 and number < kills * ROUNDS_PER_KILL:
            if number % 8 == 0:
                member.measure()
            left -= member.round(number)
            member.start()
            number += 1
    except (Broken, OSError, subprocess.SubprocessError) as error:
        failure = f"{member.name}: {error}"
    results.put((member.hits, member.renewal_s, member.writing_s, failure))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fleet", required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("members", type=pathlib.Path)
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    begin, results, workers = time.monotonic(), multiprocessing.Queue(), []
    for index, name in enumerate(options.names):
        member = Member(options.fleet, options.members, name, random.Random(f"{options.seed}/{name}"))
        share = options.kills // len(options.names) + (index < options.kills % len(options.names))
        workers.append(multiprocessing.Process(target=work, args=(member, share, results)))
        workers[-1].start()
    outcomes = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    hits = sum((outcome[0] for outcome in outcomes), collections.Counter())
    for moment, count in sorted(hits.items()):
        print(f"{count:4} {moment}")
    total = sum(hits.values())
    print(f"{total:4} kills in {time.monotonic() - begin:.1f} s")
    slowest = max(outcomes, key=lambda outcome: outcome[1])
    print(f"     a renewal takes {slowest[1] * 1000:.0f} ms, {slowest[2] * 1000:.0f} ms of them from its first file on")
    failures = [outcome[3] for outcome in outcomes if outcome[3] is not None]
    under_way = sum(hits[moment] for moment in UNDER_WAY)
    if not failures and under_way < options.kills:
        failures.append(f"only {under_way} of {total} kills hit a renewal under way")
    for failure in failures:
        print(f"renewal_kills: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
