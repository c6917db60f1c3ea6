"""run.py: one fleet of six under real traffic, with one fault or none, in a sandbox of its own.

    run.py --program FLEETCAP [--fault NAME --victim N] [--seconds S] [--seed N] [--keep DIR]

Says "ready" when all stands, begins when it can read a line on stdin, or its end, and says "done" when the traffic is over: so several
can be made to begin together, and nobody's traffic is disturbed while another sets itself up. Then it prints one JSON object.
"""
import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import faults
import lab
from lab import Net, Wire, Capture, cable

HERE = os.path.dirname(os.path.abspath(__file__))
COUNT = 6
ONE_WAY_S = 0.003  # to the services and back again, for every instance


def address_of(number):
    return f"10.1.0.{10 + number}"


def start(net, *command):
    """A service that says when it is ready."""
    process = net.spawn(sys.executable, *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = process.stdout.readline()
    if said != "ready\n":
        raise RuntimeError(f"{command[0]} did not start: {said}{process.stdout.read()}")


class Watch:
    """How late this machine lets a program run that asked to sleep for TICK_S: what the instances' own times are made of too."""

    TICK_S = 0.01

    def __enter__(self):
        self.late, self.over = [], threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.over.is_set():
            before = time.monotonic()
            time.sleep(self.TICK_S)
            self.late.append(time.monotonic() - before - self.TICK_S)

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def told(self):
        """The time, in milliseconds, that half and that one in twenty are late at least."""
        return [round(1000 * sorted(self.late)[int(part * len(self.late))], 1) for part in (0.5, 0.95)]


class Fleet:
    """web-1 to web-6 and their cache on one bridge, a router, and the services behind it."""

    def __init__(self, plan, victim):
        self.plan, self.victim, self.watch = plan, victim, Watch()
        self.pki = lab.Pki(f"{lab.FILES}/pki")
        self.hub, self.far, self.cache = Net("hub"), Net("far"), Net("cache")
        self.hub.sysctl("net.ipv4.ip_forward", 1)
        self.hub.sysctl("net.ipv4.icmp_ratelimit", 0)
        self.hub.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "address add 10.1.0.254/24 dev br0", "link set br0 up")
        self.wires = {"far": Wire("distance", self.hub, "far", self.far, "eth0", f"delay={ONE_WAY_S}")}
        self.hub.ip("address add 10.2.0.254/24 dev far", "route add 203.0.113.0/24 via 10.2.0.10")
        self.far.ip(*[f"address add {address} dev eth0" for address in ("10.2.0.10/24", "10.2.0.20/24", "10.2.0.30/24", "10.2.0.53/24",
                                                                        "203.0.113.9/32")], "route add default via 10.2.0.254")
        self.hub.ip("route add blackhole 10.66.0.0/16")
        self.attach(self.cache, "cache", "10.1.0.100")
        self.instances = [Net(f"web-{number}", plan.resolv if number == victim else faults.GOOD) for number in range(1, COUNT + 1)]
        for number, net in enumerate(self.instances, 1):
            self.attach(net, net.name, address_of(number), plan.wire if number == victim else ())
        for rule in plan.rules:
            self.hub.ip(f"rule add {rule}")
        for route in plan.routes:
            self.hub.ip(f"route add {route} table 77")
        for net, interface in [(net, "eth0") for net in (*self.instances, self.far, self.cache)] + [(self.hub, "far")]:
            net.plain(interface)

    def attach(self, net, name, address, wire=()):
        if wire:
            self.wires["victim"] = Wire("wire", net, "eth0", self.hub, name, *wire)
        else:
            cable(net, "eth0", self.hub, name)
            self.hub.plain(name)
        self.hub.ip(f"link set {name} master br0")
        net.ip(f"address add {address}/24 dev eth0", "route add default via 10.1.0.254")

    def services(self):
        plan = self.plan
        extra = [f"peer={plan.victim}:{plan.dns}"] if plan.dns else []
        start(self.far, f"{lab.HERE}/dnsd.py", "10.2.0.53", "zone=corp.example", "a=10.2.0.10", *extra)
        settings = [f"{key}={value}" for key, value in plan.services.items()]
        start(self.far, f"{HERE}/services.py", f"pki={self.pki.directory}", *settings)
        start(self.cache, f"{HERE}/services.py", "only=cache", "host=10.1.0.100", *settings)

    def job(self, net, number, seconds, seed):
        settings = {"seconds": seconds, "seed": f"{seed}.{number}", "pki": self.pki.directory}
        settings.update(self.plan.job if number == self.victim else {})
        return net.spawn(sys.executable, f"{HERE}/job.py", *[f"{key}={value}" for key, value in settings.items()],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, seconds, seed):
        """Returns the files."""
        captures = []

        def capture(net):
            captures.append(Capture(net, f"{lab.FILES}/{net.name}.pcap"))

        in_parallel([lambda net=net: capture(net) for net in self.instances])
        jobs = [self.job(net, number, seconds, seed) for number, net in enumerate(self.instances, 1)
                if not (self.plan.silent and number == self.victim)]
        for job in jobs:
            if job.stdout.readline() != "ready\n":
                raise RuntimeError("a job did not start")
        print("ready", flush=True)
        sys.stdin.readline()
        with self.watch:
            for job in jobs:
                job.stdin.close()
            for job in jobs:
                job.wait(seconds + 120)
        dropped = []
        in_parallel([lambda one=one: dropped.append(one.stop()) for one in captures])
        print("done", flush=True)
        if sum(dropped):
            raise RuntimeError(f"tcpdump dropped {sum(dropped)} packets")
        return sorted(one.file for one in captures)


def in_parallel(works):
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--fault")
    parser.add_argument("--victim", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    options = parser.parse_args()
    lab.sandbox()
    chosen = next((fault for fault in faults.FAULTS if fault.name == options.fault), None)
    plan = chosen.plan(address_of(options.victim)) if chosen else faults.Plan()
    fleet = Fleet(plan, options.victim)
    fleet.services()
    files = fleet.run(options.seconds, options.seed)
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
        for file in files:
            shutil.copy(file, options.keep)
    began = time.monotonic()
    done = subprocess.run([options.program, "compare", *files, "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"fleetcap compare: exit status {done.returncode}: {done.stderr}")
    said = json.loads(done.stdout)
    said["took_s"] = round(time.monotonic() - began, 3)
    said["late_ms"] = fleet.watch.told()
    said["wires"] = {name: wire.stop() for name, wire in fleet.wires.items()}
    said["bytes"] = {os.path.basename(file): os.path.getsize(file) for file in glob.glob(f"{lab.FILES}/*.pcap")}
    print(json.dumps(said))


main()
