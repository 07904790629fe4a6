#!/usr/bin/env python3
"""Runs a command in a queue: creates an operation, says why it waits, follows its statuses to the end.

    run.py --namespace team --queue gpu --param rate=0.1 -- train-1 bash -c 'echo {{ params.rate }}'

Needs the official client (Debian: python3-kubernetes; elsewhere the package "kubernetes") and a kubeconfig.
"""
import argparse
import json
import sys

from kubernetes import config, dynamic
from kubernetes.client import ApiException

OVER = ("succeeded", "failed", "stopped", "skipped", "upstream_failed")
VISIBILITY = "/apis/visibility.queueyard.io/v1alpha1"


def operation(args):
    """The operation to create: what it runs, and in which queue."""
    pod = {"spec": {"containers": [{"name": "main", "image": args.image, "command": args.command}]}}
    spec = {"template": {"pod": pod}, "params": dict(args.param), "priority": args.priority}
    if args.queue:
        spec["queue"] = args.queue
    if args.project:
        spec["project"] = args.project
    return {
        "apiVersion": "queueyard.io/v1alpha1",
        "kind": "Operation",
        "metadata": {"name": args.name, "namespace": args.namespace},
        "spec": spec,
    }


def param(text):
    """NAME=VALUE, the value as JSON or else as text."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def explain(client, status):
    """The gates before an operation as (ok, sentence), from the scheduler; where it has no pod yet, from its condition."""
    run = status.get("run") or {}
    if run.get("kind") == "Pod":
        try:
            said = client.request("GET", f"{VISIBILITY}/namespaces/{run['namespace']}/pods/{run['name']}/explanation").to_dict()
        except ApiException as e:
            if e.status not in (404, 503):  # no pod in the line yet; no scheduler leads
                raise
        else:
            if said["state"] == "Waiting":
                return [gate(check) for check in said.get("checks", [])] + [(False, said["message"])]
            return []
    return [(False, c["message"]) for c in status.get("conditions", []) if c["type"] == "Admitted" and c["status"] == "False"]


def gate(check):
    """A limit with its numbers."""
    what = check.get("resource") or "operations"
    limit = "unlimited" if check["limit"] == "-1" else check["limit"]
    return check["ok"], f"{check['kind'].lower()} {check['name']}: {what} {check['used']}/{limit}, needs {check['need']}"


def follow(client, operations, name, namespace):
    """Prints each new status, and each new reason to wait. Returns the last status."""
    said, reason = 0, None
    while True:  # a watch ends now and then: it begins anew with what there is
        for event in operations.watch(namespace=namespace, field_selector=f"metadata.name={name}", timeout=300):
            status = event["raw_object"].get("status", {})
            if event["type"] == "DELETED":
                sys.exit(f"operation {name} was deleted before it was over")
            line, dropped = status.get("timeline", []), status.get("dropped", 0)
            for entry in line[max(0, said - dropped):]:
                print(f"{entry['time']}  {entry['status']:<12}  {entry.get('message', '')}", flush=True)
            said = dropped + len(line)
            if status.get("phase") in OVER:
                return status["phase"]
            gates = explain(client, status) if status.get("phase") == "queued" else []
            if gates and gates != reason:
                for ok, sentence in gates:
                    print("   ", "✔" if ok else "✖", sentence, flush=True)
                reason = gates


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("name")
    parser.add_argument("command", nargs="+", help="what it runs")
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--image", default="debian:stable-slim")
    parser.add_argument("--queue", help="NAME or AGENT/NAME (default: the project's, the organization's, the cluster's)")
    parser.add_argument("--project")
    parser.add_argument("--priority", type=int, default=0)
    parser.add_argument("-p", "--param", type=param, action="append", default=[], help="NAME=VALUE")
    args = parser.parse_args()

    client = dynamic.DynamicClient(config.new_client_from_config())
    operations = client.resources.get(api_version="queueyard.io/v1alpha1", kind="Operation")
    try:
        operations.create(body=operation(args), namespace=args.namespace)
    except ApiException as e:  # admission says what is wrong, and what to do
        sys.exit(json.loads(e.body)["message"])
    print(f"operation {args.name} is created", flush=True)
    sys.exit(0 if follow(client, operations, args.name, args.namespace) in ("succeeded", "skipped") else 2)


if __name__ == "__main__":
    main()
