"""``python -m benchmarks.diagnosis.cures``: does a cure bring faulty set-ups to the score of their repaired versions?"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule.errors import ChainruleError

from .catalogue import Item, faulty, healthy, part
from .setups import Setup, evaluate

#: A cured network may fall short of the repaired one by this much: two standard errors of some 400 test samples.
NOISE = 0.03


def fitted(setup: Setup) -> Any:
    """The network of a set-up, trained; as far as it got when it diverged."""
    X, y, _, _ = setup.data()
    net = setup.prepare()
    with warnings.catch_warnings(), suppress(ChainruleError):
        warnings.simplefilter("ignore")
        net.fit(X, y, **setup.arguments())
    return net


def judge(item: Item, seconds: float) -> dict[str, Any]:
    """Before, after, and what was changed."""
    X, y, _, _ = item.setup.data()
    net = item.setup.prepare()
    started = time.perf_counter()
    arguments = {k: v for k, v in item.setup.arguments().items() if k not in ("verbose", "validation_data")}
    error = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cure = net.cure(X, y, time_budget=seconds, verbose=0, **arguments)
            score, changes = evaluate(item.setup, cure.network) if cure.improved else None, [str(c) for c in cure.changes]
        except Exception as failure:
            error, score, changes = f"{type(failure).__name__}: {failure}", None, []
    taken = time.perf_counter() - started
    before = evaluate(item.setup, fitted(item.setup))
    return {
        "name": item.name,
        "part": part(item.name),
        "faulty": bool(item.causes),
        "before": before,
        "after": before if score is None else score,
        "changes": changes,
        "error": error,
        "seconds": taken,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--match", default="", help="only set-ups whose name holds this")
    parser.add_argument("--part", choices=("tune", "judge", "all"), default="all")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th set-up")
    parser.add_argument("--seconds", type=float, default=15.0, help="time budget of each cure")
    parser.add_argument("--json", type=Path, help="write every result to this file")
    options = parser.parse_args()
    items = [i for i in (*faulty(), *healthy()) if options.match in i.name and options.part in ("all", part(i.name))]
    results, repaired = [], dict[Setup, float]()
    for item in items[:: options.every]:
        result = judge(item, options.seconds)
        goal = result["before"]
        if item.repaired is not None:
            if item.repaired not in repaired:
                repaired[item.repaired] = evaluate(item.repaired, fitted(item.repaired))
            goal = repaired[item.repaired]
        result["repaired"] = goal
        result["cured"] = result["after"] >= goal - NOISE and not result["error"]
        results.append(result)
        mark = "" if result["cured"] else "NOT CURED " if result["faulty"] else "HARMED "
        print(
            f"{mark}[{result['part']}] {item.name}: {result['before']:.3f} → {result['after']:.3f} of {goal:.3f} in "
            f"{result['seconds']:.1f} s {'; '.join(result['changes'])} {result['error'][:120]}",
            flush=True,
        )
    for which in ("tune", "judge", "all"):
        for label, kind in (("faulty", True), ("healthy", False)):
            own = [r for r in results if r["faulty"] is kind and which in ("all", r["part"])]
            if own:
                good = sum(r["cured"] for r in own) / len(own)
                changed = sum(bool(r["changes"]) for r in own) / len(own)
                print(f"{which:5}  {len(own)} {label}: at the repaired score {good:.3f}, changed {changed:.3f}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
