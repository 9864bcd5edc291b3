#!/usr/bin/env python3
"""Runs our queue beside BullMQ on one Redis and prints ratios. Standard library only."""
import argparse
import collections
import json
import math
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")
# Figure, its unit, and whether more is better.
FIGURES = {
    "drain": ("/s", True), "cpu per 1,000": ("s", False), "enqueue 1": ("/s", True),
    "enqueue 16": ("/s", True), "enqueue bulk": ("/s", True), "pickup p50": ("ms", False),
    "pickup p99": ("ms", False), "due first": ("ms", False), "due p99": ("ms", False),
    "rescue": ("s", False),
}


class Redis:
    def __init__(self, place):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", place],
            stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.command("PING")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("redis-server does not answer")

    def command(self, words):
        with socket.create_connection(("127.0.0.1", self.port), 10) as link:
            link.sendall(words.encode() + b"\r\n")
            return link.recv(1024)


def stat(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(") ", 1)[1].split()
    except OSError:
        return None


def processes(root):
    """Everything that `root` started, and what those started: a server's processes have sessions of their own."""
    found = ((int(pid), stat(pid)) for pid in os.listdir("/proc") if pid.isdigit())
    alive = {pid: fields for pid, fields in found if fields and fields[0] != "Z"}
    family = {root}
    while more := {pid for pid, fields in alive.items() if int(fields[1]) in family} - family:
        family |= more
    return {pid: fields for pid, fields in alive.items() if pid in family}


def cpu(roots, redis):
    every = [stat(redis.process.pid)]
    for root in roots:
        every += processes(root).values()
    return sum(int(tick) for fields in every if fields for tick in fields[11:15]) / TICK


class Run:
    """One queue on an empty Redis, with a run log of its own."""

    def __init__(self, peer, redis, place):
        redis.command("FLUSHALL")
        self.redis, (self.command, environment) = redis, peer
        handle, self.log = tempfile.mkstemp(suffix=".log", dir=place)
        os.close(handle)
        self.environment = {
            **os.environ, **environment, "BENCH_LOG": self.log, "BENCH_PAYLOAD_BYTES": "300",
            "BENCH_REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"}
        self.worker = self.keeper = None
        if self.environment.get("CLIPQUEUE_BENCH_DATABASE") == "postgres":
            # Whoever comes first keeps the server and takes it along at its end.
            self.keeper = subprocess.Popen(self.command, env=self.told("keep"), start_new_session=True,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            if not self.keeper.stdout.readline():
                raise SystemExit("the private PostgreSQL did not start")

    def cpu(self):
        roots = [process.pid for process in (self.worker, self.keeper) if process]
        return cpu(roots, self.redis)

    def close(self):
        if self.worker and self.worker.poll() is None:
            self.end(signal.SIGKILL)
        if self.keeper:
            self.keeper.terminate()
            self.keeper.wait(30)

    def told(self, action, **words):
        return {**self.environment, "BENCH_ACTION": action, **{f"BENCH_{k.upper()}": str(v) for k, v in words.items()}}

    def enqueue(self, n, start=0, **words):
        done = subprocess.run(self.command, env=self.told("enqueue", n=n, start=start, **words),
                              capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise SystemExit(done.stderr)
        answer = json.loads(done.stdout.splitlines()[-1])
        assert answer["enqueued"] == n, answer
        return answer["seconds"]

    def work(self, **words):
        self.worker = subprocess.Popen(self.command, env=self.told("work", **words), start_new_session=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def end(self, kind=signal.SIGTERM):
        if kind == signal.SIGTERM:
            self.worker.terminate()
            try:
                self.worker.wait(15)
            except subprocess.TimeoutExpired:
                pass
        for pid in [self.worker.pid, *processes(self.worker.pid)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.worker.wait()

    def lines(self, tag):
        with open(self.log) as file:
            rows = [line.split() for line in file.read().rpartition("\n")[0].split("\n") if line]
        return [(int(job), int(at)) for kind, job, at in rows if kind == tag]

    def wait(self, count, patience=90):
        until = time.monotonic() + patience
        while len(starts := self.lines("S")) < count:
            if time.monotonic() > until:
                raise SystemExit(f"{self.command}: {len(starts)} of {count} jobs ran")
            time.sleep(0.02)
        return starts

    def exact(self, count):
        time.sleep(0.5)
        starts = self.lines("S")
        times = collections.Counter(job for job, _ in starts)
        assert set(times) == set(range(count)) and set(times.values()) == {1}, "not exactly once"
        return starts


def percentile(values, q):
    values = sorted(values)
    return values[max(0, math.ceil(q * len(values)) - 1)]


def cycle(run, n):
    figures = {
        "enqueue 1": n / run.enqueue(n, 0, producers=1), "enqueue 16": n / run.enqueue(n, n, producers=16),
        "enqueue bulk": n // 2 / run.enqueue(n // 2, 2 * n, bulk=500)}
    total = 2 * n + n // 2
    run.work()
    run.wait(1)
    first, begun = len(run.lines("S")), run.cpu()
    run.wait(total)
    used = run.cpu() - begun
    times = sorted(at for _, at in run.exact(total))
    run.end()
    figures["drain"] = (total - 1) / (times[-1] - times[0]) * 1e9
    figures["cpu per 1,000"] = used / max(1, total - first) * 1000
    return figures


def pickup(run, n):
    run.work()
    run.enqueue(1)
    run.wait(1)
    time.sleep(1)
    run.enqueue(n, 1, gap_us=20000)
    run.wait(n + 1)
    asked = dict(run.lines("Q"))
    waits = [(at - asked[job]) / 1e6 for job, at in run.exact(n + 1) if job in asked]
    run.end()
    return {"pickup p50": percentile(waits, 0.5), "pickup p99": percentile(waits, 0.99)}


def due(run, n):
    run.work()
    # A trial says how long enqueuing takes.
    probe = run.enqueue(n // 10, n)
    run.wait(n // 10)
    at = math.ceil(time.time() + 3 + probe * 20)
    run.enqueue(n, due_ms=at * 1000)
    assert time.time() < at, "enqueuing took too long"
    run.wait(n + n // 10)
    shift = time.time() - time.monotonic()
    late = [(ns / 1e9 + shift - at) * 1000 for job, ns in run.exact(n + n // 10) if job < n]
    run.end()
    return {"due first": min(late), "due p99": percentile(late, 0.99)}


def rescue(run, n=20):
    run.enqueue(n, sleep_ms=30000)
    run.work(concurrency=n)
    run.wait(n)
    time.sleep(1)
    run.end(signal.SIGKILL)
    killed = time.monotonic()
    time.sleep(1)
    run.work(concurrency=n)
    again = [at / 1e9 - killed for _, at in run.wait(2 * n, 150) if at / 1e9 > killed]
    run.end(signal.SIGKILL)
    return {"rescue": max(again)}


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--ours", default=os.path.join(HERE, "../target/release/clipqueue"))
    options.add_argument("--database", default="sqlite", help="sqlite, postgres, or an address")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--jobs", type=int, default=20000)
    options.add_argument("--only", default="cycle,pickup,due", help="which measures, separated by commas")
    options.add_argument("--rescue", action="store_true", help="kill workers, too; takes minutes")
    told = options.parse_args()
    place = tempfile.mkdtemp(prefix="compare-")
    # The server of a private PostgreSQL runs as somebody else.
    os.chmod(place, 0o755)
    peers = {
        "bullmq": (["node", os.path.join(HERE, "bullmq/adapter.mjs")], {}),
        "ours": ([told.ours, "bench", "adapter"], {
            "CLIPQUEUE_BENCH_DATABASE": told.database,
            "CLIPQUEUE_BENCH_DIR": tempfile.mkdtemp(prefix="compare-rows-")})}
    rows = peers["ours"][1]["CLIPQUEUE_BENCH_DIR"]
    os.chmod(rows, 0o755)
    every = {"cycle": lambda run: cycle(run, told.jobs), "pickup": lambda run: pickup(run, 300),
             "due": lambda run: due(run, 2000)}
    measures = [every[name] for name in told.only.split(",")]
    measures += [rescue] if told.rescue else []
    found = collections.defaultdict(list)
    redis = Redis(place)
    try:
        for number in range(told.rounds):
            for name in ["bullmq", "ours", "bullmq"]:
                for measure in measures:
                    run = Run(peers[name], redis, place)
                    try:
                        for figure, value in measure(run).items():
                            found[name, figure].append(value)
                    finally:
                        run.close()
                print(f"round {number + 1}: {name}", file=sys.stderr)
    finally:
        redis.process.terminate()
        redis.process.wait()
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(rows, ignore_errors=True)
    print("| figure | ours | BullMQ | ratio |\n|---|---|---|---|")
    for figure, (unit, _) in FIGURES.items():
        if ours := found["ours", figure]:
            theirs = found["bullmq", figure]
            cell = lambda v: f"{statistics.median(v):,.4g} {unit} ({min(v):,.4g}-{max(v):,.4g})"
            ratio = statistics.median(ours) / statistics.median(theirs)
            print(f"| {figure} | {cell(ours)} | {cell(theirs)} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
