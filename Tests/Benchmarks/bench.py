"""Times the runtimes with hyperfine, in turns, and prints a table. Started by `run`, which prepares the machine."""

import argparse
import glob
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import time

WORK = os.environ["BENCH_WORK"]
TAG = f"mrun-bench-{os.getpid()}"
TIMED = ["run", "seccomp-first", "seccomp", "life-cycle", "exec", "state", "list", "pause-resume"]
PROFILE = "/usr/share/containers/seccomp.json"
TITLES = {
    "run": "run `/bin/true`, default OCI config, v1 limits",
    "seccomp-first": "the same with podman's default seccomp profile, for the first time",
    "seccomp": "and again",
    "life-cycle": "create + start + state + delete, four calls",
    "exec": "exec `/bin/true` in a running container",
    "state": "state",
    "list": "list, one container",
    "pause-resume": "pause, then resume",
    "memory": "private memory of a created container's init",
    "dirty": "of it dirty: what the page cache does not give back",
}


class Runtime:
    """One runtime, with a state root and bundles of its own."""

    def __init__(self, name, binary):
        self.name, self.binary = name, binary
        self.root = f"{WORK}/state/{name}"
        self.running = f"{TAG}-{name}-running"
        for kind, args in [("true", ["/bin/true"]), ("seccomp", ["/bin/true"]), ("sleep", ["/bin/sleep", "100000"])]:
            self.write_bundle(kind, args)
        self.cycle = f"{WORK}/{name}-cycle"
        self.pause = f"{WORK}/{name}-pause"
        call, one = f"{binary} --root {self.root}", f"{TAG}-{name}"
        # A container that exits at once may still be there at `delete`.
        self.write(self.cycle, f"{call} create --bundle {self.bundle('true')} {one} && {call} start {one} &&"
                               f" {call} state {one} && {call} delete --force {one}\n")
        self.write(self.pause, f"{call} pause {self.running} && {call} resume {self.running}\n")

    def bundle(self, kind):
        return f"{WORK}/{self.name}-{kind}"

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def write_bundle(self, kind, args):
        with open(os.environ["BENCH_CONFIG"], encoding="utf-8") as file:
            config = json.load(file)
        config["process"]["args"] = args
        config["root"] = {"path": f"{WORK}/rootfs", "readonly": True}
        config["linux"]["cgroupsPath"] = f"/{TAG}-{self.name}-{kind}"
        # What floor.c sets; its device rules are those that a runtime adds to "deny all".
        config["linux"]["resources"] = {
            "devices": [{"allow": False, "access": "rwm"}],
            "cpu": {"shares": 614, "cpus": "0-1", "mems": "0"},
            "memory": {"limit": 138412032},
        }
        if kind == "seccomp" and os.path.exists(PROFILE):
            filter = os.path.join(os.path.dirname(__file__), "../Integration/podman-seccomp.jq")
            config["linux"]["seccomp"] = json.loads(subprocess.check_output(["jq", "-f", filter, PROFILE]))
        os.makedirs(self.bundle(kind))
        self.write(self.bundle(kind) + "/config.json", json.dumps(config))

    def call(self, *words):
        # A file, for a created container would hold a pipe open.
        with open(f"{WORK}/stderr", "w+", encoding="utf-8") as errors:
            result = subprocess.run([self.binary, "--root", self.root, *words], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=errors, timeout=60, check=False)
            if result.returncode != 0:
                errors.seek(0)
                sys.exit(f"{self.name} {words[0]}: {errors.read().strip()}")

    def command(self, scenario):
        """What hyperfine runs, without a shell; dash is the same small addition for every runtime."""
        call = f"{self.binary} --root {self.root}"
        return {
            "run": f"{call} run --bundle {self.bundle('true')} {TAG}-{self.name}",
            "life-cycle": f"dash {self.cycle}",
            "seccomp": f"{call} run --bundle {self.bundle('seccomp')} {TAG}-{self.name}",
            "seccomp-first": f"{call} run --bundle {self.bundle('seccomp')} {TAG}-{self.name}",
            "exec": f"{call} exec {self.running} /bin/true",
            "state": f"{call} state {self.running}",
            "list": f"{call} list",
            "pause-resume": f"dash {self.pause}",
        }[scenario]

    def start_running(self):
        self.call("create", "--bundle", self.bundle("sleep"), self.running)
        self.call("start", self.running)

    def memory(self):
        """KiB that the init of a created container has for itself: all of it, and the dirty part."""
        pid_file, id = f"{WORK}/{self.name}.pid", f"{TAG}-{self.name}-held"
        self.call("create", "--bundle", self.bundle("true"), "--pid-file", pid_file, id)
        time.sleep(0.3)  # runc's init still settles
        with open(pid_file, encoding="ascii") as file:
            rollup = f"/proc/{int(file.read())}/smaps_rollup"
        with open(rollup, encoding="ascii") as file:
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in file if line.startswith("Private_")}
        self.call("delete", "--force", id)
        return {"memory": sum(sizes.values()), "dirty": sizes["Private_Dirty"]}

    def clean_up(self):
        for id in (f"{TAG}-{self.name}", self.running, f"{TAG}-{self.name}-held"):
            subprocess.run([self.binary, "--root", self.root, "delete", "--force", id], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)


class Floor:
    """The bare system calls, which can only `run`."""

    name = "floor"

    @staticmethod
    def command(scenario):
        return f"{WORK}/floor {WORK}/rootfs" if scenario == "run" else None


def times(command, runs, prepare=None):
    """The seconds that each of so many runs took; `prepare` runs before each, and is not timed."""
    output = f"{WORK}/hyperfine.json"
    result = subprocess.run(["hyperfine", "--shell=none", "--warmup", "2", "--runs", str(runs), "--style", "none",
                             "--export-json", output, *(["--prepare", prepare] if prepare else []), command],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{command}\n{result.stderr.strip()}")
    with open(output, encoding="utf-8") as file:
        return json.load(file)["results"][0]["times"]


def measure(scenarios, contenders, rounds, runs):
    """Every scenario for every contender, block by block in an order that is drawn anew for each round."""
    found = {}
    for number in range(rounds):
        blocks = [(s, c) for s in scenarios for c in contenders if c.command(s)]
        random.shuffle(blocks)
        for scenario, contender in blocks:
            # mrun and crun keep compiled filters below the state root.
            prepare = f"rm -rf {contender.root}/.cache" if scenario == "seccomp-first" else None
            found.setdefault(scenario, {}).setdefault(contender.name, []).extend(
                times(contender.command(scenario), runs, prepare))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return found


def table(results, names):
    def cell(values, name, unit):
        return "" if values.get(name) is None else f"{values[name]:,.{1 if unit == 'ms' else 0}f} {unit}"

    def ratio(values, name, to):
        return f"{values[name] / values[to]:.2f} ×" if values.get(name) and values.get(to) else ""

    against = [(a, b) for a in names for b in ("floor", "crun") if a != b and a != "floor" and b in names]
    head = ["what", *names, *(f"{a} ÷ {b}" for a, b in against)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for scenario, values in results.items():
        unit = "KiB" if scenario in ("memory", "dirty") else "ms"
        row = [TITLES[scenario], *(cell(values, n, unit) for n in names), *(ratio(values, a, b) for a, b in against)]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("scenario", nargs="*", default=[])
    options = parser.parse_args()
    scenarios = options.scenario or [*TIMED, "memory"]
    for scenario in scenarios:
        if scenario not in [*TIMED, "memory"]:
            sys.exit(f"no such scenario: {scenario} ({', '.join([*TIMED, 'memory'])})")
    rounds = options.rounds or (2 if options.quick else 5)
    runs = options.runs or (5 if options.quick else 40)

    runtimes = []
    for name in ("mrun", "crun", "runc"):
        binary = shutil.which(os.environ[name.upper()])
        if binary:
            runtimes.append(Runtime(name, os.path.realpath(binary)))
        else:
            print(f"{name} is left out: no {os.environ[name.upper()]}", file=sys.stderr)
    if not runtimes:
        sys.exit("no runtime to measure")
    contenders = [*runtimes, Floor()]

    timed = [s for s in TIMED if s in scenarios]
    try:
        # The memory first, while nothing of this runs.
        memory = {r.name: r.memory() for r in runtimes} if "memory" in scenarios else {}
        if {"exec", "state", "list", "pause-resume"} & set(timed):
            for runtime in runtimes:
                runtime.start_running()
        found = measure(timed, contenders, rounds, runs)
    finally:
        for runtime in runtimes:
            runtime.clean_up()
        for _ in range(50):
            left = glob.glob(f"/sys/fs/cgroup/*/{TAG}*")
            for directory in left:
                try:
                    os.rmdir(directory)
                except OSError:
                    pass
            if not left:
                break
            time.sleep(0.1)

    results = {s: {n: statistics.median(t) * 1000 for n, t in found[s].items()} for s in timed}
    for kind in ("memory", "dirty"):
        if memory:
            results[kind] = {name: sizes[kind] for name, sizes in memory.items()}
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump({
            "kernel": platform.release(), "cpus": os.cpu_count(), "rounds": rounds, "runs": runs,
            "medians_ms": {s: v for s, v in results.items() if s in TIMED},
            "private_memory_kib": memory, "times_s": found,
        }, file, indent=1)
        file.write("\n")
    print(f"medians of {rounds} × {runs} runs; Linux {platform.release()}, {os.cpu_count()} cpus\n")
    print(table(results, [c.name for c in contenders]))
    print(f"\nall times: {options.output}")


main()
