"""matrix.py: faults on one of six instances, and fleets without any: does `fleetcap compare` name the instance and the cause, and is it
quiet where there is nothing? Prints a table, recall and precision.

    matrix.py --program FLEETCAP [--long] [--seed N] [--jobs N] [--equal N] [--keep DIR] [FAULT...]
"""
import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import faults

HERE = os.path.dirname(os.path.abspath(__file__))
LOUD = ("warning", "error")
EQUAL_LONG = 20


class Run:
    """One fleet."""

    def __init__(self, options, name, seed, seconds, fault=None, victim=0):
        self.name, self.fault, self.victim, self.seconds = name, fault, victim, seconds
        self.command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, f"{HERE}/run.py",
                        "--program", options.program, "--seconds", str(seconds), "--seed", str(seed)]
        if fault:
            self.command += ["--fault", fault.name, "--victim", str(victim)]
        if options.keep:
            self.command += ["--keep", os.path.join(options.keep, re.sub(r"\W+", "-", name))]
        self.said, self.trouble = {}, None

    def start(self):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)

    def is_told(self, word):
        """Waits until run.py says that word, or ends."""
        return self.process.stdout.readline() == f"{word}\n"

    def go(self):
        self.process.stdin.close()

    def end(self):
        said = self.process.stdout.read()
        if self.process.wait() == 0:
            self.said = json.loads(said)
            return
        self.errors.seek(0)
        self.trouble = self.errors.read().strip().splitlines()[-1:]

    @property
    def verdict(self):
        return self.said.get("verdict", f"did not run: {self.trouble}")

    def findings(self, severities):
        return [finding for finding in self.said.get("findings", []) if finding["severity"] in severities]

    def wrongly_named(self):
        """Findings above note that are about others than the victim."""
        return [finding for finding in self.findings(LOUD) if finding["instances"] != [f"web-{self.victim}"]]

    def is_found(self):
        return f"web-{self.victim}" in self.verdict and self.fault.told_by(self.verdict)


def together(runs):
    """Sets those fleets up, lets them all work at the same time, and then compares: what works is not disturbed by what begins or ends."""
    for run in runs:
        run.start()
    working = [run for run in runs if run.is_told("ready")]
    for run in working:
        run.go()
    for run in working:
        run.is_told("done")
    for run in runs:
        run.end()


def told(run):
    if not run.fault:
        noise = run.findings(("note",) + LOUD)
        mark = "ok" if run.said and not noise else "NOT QUIET"
        print(f"{mark:9}  {run.name}: {run.verdict}")
        for finding in noise:
            print(f"{'':11}{finding['severity']}: {finding['title']}")
        return
    mark = "ok" if run.is_found() else "MISSED"
    print(f"{mark:9}  {run.name} (web-{run.victim}): {run.verdict}")
    for finding in run.findings(LOUD) if mark == "MISSED" else run.wrongly_named():
        print(f"{'':11}{finding['severity']} {finding['id']} {','.join(finding['instances'])}: {finding['title']}")


def report(runs):
    """Prints the table; True when all is as it must be."""
    for run in runs:
        told(run)
    with_fault, without = [run for run in runs if run.fault], [run for run in runs if not run.fault]
    found = sum(run.is_found() for run in with_fault)
    loud = sum(len(run.findings(LOUD)) for run in runs)
    wrong = sum(len(run.wrongly_named()) for run in runs)
    quiet = sum(bool(run.said) and not run.findings(("note",) + LOUD) for run in without)
    precision = 100 * (loud - wrong) / loud if loud else 100
    recall = 100 * found / len(with_fault) if with_fault else 100
    print(f"matrix: {len(with_fault)} faults on one of six, {found} found with their cause: recall {recall:.0f} %; "
          f"{loud} findings above note, {wrong} about others: precision {precision:.1f} %; {quiet} of {len(without)} equal fleets quiet")
    return found == len(with_fault) and wrong == 0 and quiet == len(without)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--jobs", type=int, default=2, help="fleets at a time")
    parser.add_argument("--equal", type=int)
    parser.add_argument("--keep", help="copy the captures there")
    parser.add_argument("faults", nargs="*", help="only these")
    options = parser.parse_args()
    began = time.monotonic()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}", flush=True)
    chosen = [fault for fault in faults.FAULTS if (fault.name in options.faults if options.faults else options.long or fault.quick)]
    equal = options.equal if options.equal is not None else EQUAL_LONG if options.long else 0 if options.faults else 1
    runs = [Run(options, fault.name, dice.randrange(1 << 30), fault.seconds, fault, dice.randint(1, 6)) for fault in chosen]
    runs += [Run(options, f"equal {number + 1}", dice.randrange(1 << 30), 5.0) for number in range(equal)]
    longest_first = sorted(runs, key=lambda run: run.seconds, reverse=True)
    for first in range(0, len(runs), options.jobs):
        together(longest_first[first:first + options.jobs])
    well = report(runs)
    late = [run.said["late_ms"] for run in runs if run.said]
    if late:
        print(f"this machine let a program that slept 10 ms run late by {max(half for half, _ in late)} ms (half of the times), "
              f"{max(some for _, some in late)} ms (one in twenty), in the worst of {len(late)} fleets")
    print(f"took {time.monotonic() - began:.0f} s")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
