#!/usr/bin/env python3
"""Holds a server to the golden records: what must pass passes, what waits really waits.

  python check.py --target HOST:PORT [--groups user_tasks,workflows] [--only NAME ...] [--report FILE.json]
  python check.py --accounts

A scenario that `pending.toml` names is left out for a stated reason: the RPC, node or hook that it waits for.
Its script is stopped at the first refusal as UNIMPLEMENTED. It fails the check when it passes after all, and when
what it met is not what it is said to wait for. Every other scenario must agree with its golden record, or with the
deviation that `deviations.toml` states.

`--accounts` needs no server: every scenario is in a golden record, and the lists name only what exists.

The last lines are the sums: `N passed, N failed` in steps, then the scenarios. Exit code 1 when something failed.
"""

import argparse
import json
import pathlib
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor

import grpc

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import probe  # noqa: E402  (the folder of this file comes first)
from littlehorse.model import PutWfSpecRequest  # noqa: E402

GROUPS = ("user_tasks", "workflows", "acl")
PLAIN_NODES = {"entrypoint", "exit", "nop", "task", "user_task"}


class Stopped(Exception):
    """A pending scenario met what it waits for."""

    expected = True


class Watched(probe.Ctx):
    """Keeps what the server refused as UNIMPLEMENTED; ends a pending scenario there."""

    def __init__(self, channel, pending, known):
        super().__init__(channel)
        self.pending = pending
        self.known = known  # RPCs that the real server does not have either
        self.refused = set()

    def quiet(self, rpc, request, **options):
        reply = super().quiet(rpc, request, **options)
        if self.code == "UNIMPLEMENTED" and rpc not in self.known:
            self.refused |= features(request) or {rpc}
            if self.pending:
                raise Stopped
        return reply


def features(request):
    """What a PutWfSpec may have been refused for, in the words of pending.toml."""
    found = set()
    if not isinstance(request, PutWfSpecRequest):
        return found
    if request.HasField("retention_policy"):
        found.add("retention")
    for thread in request.thread_specs.values():
        if thread.HasField("retention_policy"):
            found.add("retention")
        if thread.interrupt_defs:
            found.add("interrupts")
        for node in thread.nodes.values():
            kind = node.WhichOneof("node")
            if kind and kind not in PLAIN_NODES:
                found.add(f"node {kind}")
            for action in node.user_task.actions:
                found.add(f"hook {action.WhichOneof('action') or 'without an action'}")
    return found


def load_pending():
    """What every left-out scenario waits for."""
    text = (HERE / "pending.toml").read_text(encoding="utf-8")
    return {item["scenario"]: item["waits_for"] for item in tomllib.loads(text).get("pending", [])}


def load_group(group):
    """The scripts of a group, by name."""
    before = set(probe.SCENARIOS)
    probe.load_cases(group, [HERE / "cases"])
    return {name: entry for name, entry in probe.SCENARIOS.items() if name not in before}


def accounts():
    """What the lists say of scenarios and steps that do not exist, and scenarios that no list knows."""
    pending, deviations, wrong = load_pending(), probe.load_deviations(HERE / "deviations.toml"), []
    scripts, steps = set(), {}
    for group in GROUPS:
        golden = probe.load(HERE / f"{group}.golden.json")
        scripts |= load_group(group).keys()
        steps |= {name: {step["note"] for step in scene["steps"]} for name, scene in golden.items()}
    for name in sorted(scripts - steps.keys()):
        wrong.append(f"{name} is not in a golden record")
    for name in sorted(steps.keys() - scripts):
        wrong.append(f"{name} is in a golden record, but no script makes it")
    for name in sorted(pending.keys() - steps.keys()):
        wrong.append(f"pending.toml names {name}, which does not exist")
    for name in sorted(name for name, reasons in pending.items() if not reasons):
        wrong.append(f"pending.toml does not say what {name} waits for")
    for (scenario, step), deviation in sorted(deviations.items()):
        if step not in steps.get(scenario, ()):
            wrong.append(f"deviations.toml names {scenario} / {step}, which does not exist")
        if not deviation.get("why"):
            wrong.append(f"deviations.toml does not say why {scenario} / {step} differs")
    return wrong


def judge(name, golden, transcript, refused, reasons, deviations):
    """The verdict on one scenario, as the report keeps it."""
    passed, wrong = probe.compare_scene(name, golden, transcript, deviations)
    if reasons is None:
        return {"state": "failed" if wrong else "passed", "passed": passed, "failed": len(wrong), "wrong": wrong}
    if not wrong:
        wrong = ["it passes now: take it out of pending.toml"]
    elif not refused:
        wrong = [f"it is said to wait for {', '.join(reasons)}, but nothing was refused as UNIMPLEMENTED", *wrong]
    elif not refused & set(reasons):
        met, said = ", ".join(sorted(refused)), ", ".join(reasons)
        wrong = [f"it is said to wait for {said}, but what was refused is {met}"]
    else:
        wrong = []
    return {"state": "failed" if wrong else "pending", "passed": 0, "failed": len(wrong), "wrong": wrong}


def run(target, groups, only, jobs):
    """The verdict on every chosen scenario, by name."""
    channel = grpc.insecure_channel(target, options=[
        ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
    grpc.channel_ready_future(channel).result(timeout=30)
    pending, deviations = load_pending(), probe.load_deviations(HERE / "deviations.toml")

    def one(name, entry, golden):
        known = {step["rpc"] for step in golden["steps"] if step["code"] == "UNIMPLEMENTED"}
        ctx = Watched(channel, name in pending, known)
        started = time.monotonic()
        _, transcript = probe.run_one(name, entry, channel, ctx)
        verdict = judge(name, golden, transcript, ctx.refused, pending.get(name), deviations)
        return name, verdict | {"seconds": round(time.monotonic() - started, 3)}

    with ThreadPoolExecutor(jobs) as pool:
        waiting = []
        for group in groups:
            golden = probe.load(HERE / f"{group}.golden.json")
            for name, entry in load_group(group).items():
                if name in golden and (not only or name in only):
                    waiting.append(pool.submit(one, name, entry, golden[name]))
        return dict(job.result() for job in waiting)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", metavar="HOST:PORT")
    parser.add_argument("--groups", default="user_tasks,workflows", help="comma-separated (default: %(default)s)")
    parser.add_argument("--only", action="append", metavar="NAME", help="this scenario; may be repeated")
    parser.add_argument("--jobs", type=int, default=4, help="scenarios at a time")
    parser.add_argument("--report", metavar="FILE.json", help="where to write every verdict")
    parser.add_argument("--accounts", action="store_true", help="only check the lists")
    args = parser.parse_args()
    if args.accounts or not args.target:
        wrong = accounts()
        print("\n".join(wrong) or "every scenario is accounted for")
        return 1 if wrong else 0
    verdicts = run(args.target, args.groups.split(","), set(args.only or ()), args.jobs)
    if args.report:
        pathlib.Path(args.report).write_text(json.dumps(verdicts, indent=1, sort_keys=True), encoding="utf-8")
    for name, verdict in sorted(verdicts.items()):
        for text in verdict["wrong"]:
            print(f"FAIL {name} / {text}")
    states = [verdict["state"] for verdict in verdicts.values()]
    print(f"{sum(v['passed'] for v in verdicts.values())} passed, {sum(v['failed'] for v in verdicts.values())} failed")
    print(f"scenarios: {states.count('passed')} passed, {states.count('failed')} failed, "
          f"{states.count('pending')} pending")
    return 1 if "failed" in states else 0


if __name__ == "__main__":
    sys.exit(main())
