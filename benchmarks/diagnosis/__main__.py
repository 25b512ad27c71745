"""``python -m benchmarks.diagnosis``: is the cause of every fault found, and are healthy runs left alone?"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from chainrule import Network

from .catalogue import Item, drawn, faulty, healthy, part
from .cures import cured, summary
from .cures import line as cure_line
from .programs import programs
from .setups import evaluate


def run(setup: Any, how: str) -> tuple[Any, Any, float]:
    """(diagnosis, network, seconds): watched during fit, or asked before or after. Estimators are asked after, or before."""
    X, y, _, _ = setup.data()
    net = setup.prepare()
    arguments = setup.arguments()
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not isinstance(net, Network):
            fitted = net if how == "before" else net.fit(X, y)
            return fitted.diagnose(X, y), fitted, time.perf_counter() - started
        if how == "before":
            arguments.pop("verbose")
            return net.diagnose(X, y, **arguments), net, time.perf_counter() - started
        try:
            net.fit(X, y, diagnose=True, **arguments)
        except Exception as error:
            if net.diagnosis_ is None:
                raise error
        if how == "after":
            net.diagnosis_ = net.diagnose(X, y, validation_data=arguments.get("validation_data"))
    return net.diagnosis_, net, time.perf_counter() - started


def judge(item: Item, how: str) -> dict[str, Any]:
    """What came of one set-up."""
    diagnosis, net, seconds = run(item.setup, how)
    names = [f.name for f in diagnosis.findings]
    all_names = [f.name for f in diagnosis.findings for f in (f, *f.symptoms)]
    return {
        "name": item.name,
        "part": part(item.name),
        "faulty": bool(item.causes),
        "causes": sorted(item.causes),
        "found": names,
        "notes": [f.name for f in diagnosis.notes],
        "detected": not diagnosis.healthy,
        "right": bool(names) and names[0] in item.causes,
        "mentioned": any(n in item.causes for n in all_names),
        "score": evaluate(item.setup, net),
        "errors": dict(diagnosis.errors),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--match", default="", help="only set-ups whose name holds this")
    parser.add_argument("--part", choices=("tune", "judge", "all"), default="all")
    parser.add_argument("--how", choices=("during", "before", "after"), default="during")
    parser.add_argument("--json", type=Path, help="write every result to this file")
    parser.add_argument(
        "--random", type=int, default=0, metavar="N", help="N set-ups drawn at random in place of the catalogue"
    )
    parser.add_argument("--seed", type=int, default=0, help="of those")
    parser.add_argument(
        "--programs", nargs="?", const="first", choices=("first", "second"), help="programs in place of the catalogue"
    )
    parser.add_argument("--every", type=int, default=1, help="only every so many-th set-up")
    parser.add_argument(
        "--cures", type=float, default=0, metavar="SECONDS", help="also cure each set-up, in so many seconds"
    )
    options = parser.parse_args()
    if options.programs:
        items = list(programs(options.programs))
    elif options.random:
        items = drawn(options.random, options.seed)
    else:
        items = [*faulty(), *healthy()]
    items = [i for i in items if options.match in i.name and options.part in ("all", part(i.name)) and i.setup.here]
    results = []
    baseline: dict[Any, tuple[float, list[str]]] = {}
    items = items[:: options.every]
    for item in items:
        result = judge(item, options.how)
        if item.repaired is not None:
            if item.repaired not in baseline:
                diagnosis, net, _ = run(item.repaired, options.how)
                if options.how == "before":
                    net = run(item.repaired, "during")[1]
                baseline[item.repaired] = evaluate(item.repaired, net), [f.name for f in diagnosis.findings]
            result["repaired score"], result["repaired found"] = baseline[item.repaired]
        if options.cures and isinstance(item.setup.prepare(), Network):
            before = None if options.how == "before" else result["score"]
            result["cure"] = cured(item, options.cures, before=before, repaired=result.get("repaired score"))
            if not result["cure"]["cured"]:
                print(cure_line(result["cure"]), flush=True)
        results.append(result)
        good = result["right"] if result["faulty"] else not result["detected"]
        if not good or result["errors"]:
            print(_line(item, result), flush=True)
    for which in ("tune", "judge", "all"):
        chosen = [r for r in results if which in ("all", r["part"])]
        bad, good = [r for r in chosen if r["faulty"]], [r for r in chosen if not r["faulty"]]
        if bad:
            shares = [f"{label} {mean(bad, key):.3f}" for key, label in _LABELS.items()]
            print(f"{which:5}  {len(bad)} faulty: {', '.join(shares)}")
        # Each repaired version counts once, however many faults it is the repair of.
        own = {i.repaired for i in items if i.repaired in baseline and which in ("all", part(i.name))}
        alarmed = {"healthy": [r["found"] for r in good], "repaired": [baseline[s][1] for s in own]}
        for kind, found in alarmed.items():
            if found:
                share, names = sum(map(bool, found)) / len(found), dict(Counter(f[0] for f in found if f))
                print(f"{which:5}  {len(found)} {kind}: false alarms {share:.3f} {names}")
        if cures := [r["cure"] for r in chosen if "cure" in r]:
            print(f"{which:5}  {summary(cures)}")
    print(f"{sum(r['seconds'] for r in results):.0f} s")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


_LABELS = {"detected": "detected", "right": "right cause first", "mentioned": "right cause among the findings"}


def _line(item: Item, result: dict[str, Any]) -> str:
    """What went wrong with one set-up."""
    kind = "MISS" if result["faulty"] else "ALARM"
    scores = f"score {result['score']:.3f} of {result.get('repaired score', float('nan')):.3f}"
    found, wanted, notes = (", ".join(result[key]) for key in ("found", "causes", "notes"))
    wanted = f" | wanted {wanted}" if wanted else ""
    return f"{kind} [{result['part']}] {item.name}: {found}{wanted} | notes {notes} | {scores} {result['errors'] or ''}"


def mean(results: list[dict[str, Any]], key: str) -> float:
    return sum(bool(r[key]) for r in results) / max(1, len(results))


if __name__ == "__main__":
    main()
