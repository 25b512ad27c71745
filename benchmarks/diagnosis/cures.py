"""``python -m benchmarks.diagnosis.cures``: does a cure bring faulty set-ups to the score of their repaired versions?"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from chainrule import Network
from chainrule.errors import ChainruleError

from .catalogue import Item, faulty, healthy, part
from .programs import programs
from .setups import evaluate

#: A cured network may fall short of the repaired one by this much, or by two standard errors of an accuracy where those are
#: more, because there are few test samples.
NOISE = 0.03
#: The groups of set-ups: what a change can cure, what only other data can, and what needs no cure.
GROUPS = ("curable", "data", "healthy")


def fitted(setup: Any) -> Any:
    """The network of a set-up, trained; as far as it got when it diverged."""
    X, y, _, _ = setup.data()
    net = setup.prepare()
    with warnings.catch_warnings(), suppress(ChainruleError):
        warnings.simplefilter("ignore")
        net.fit(X, y, **setup.arguments())
    return net


def noise(setup: Any, score: float) -> float:
    """How far two equally good networks may be apart on the test part."""
    n = len(setup.data()[3])
    p = min(max(score, 1 / n), 1 - 1 / n)
    return max(NOISE, 2 * (p * (1 - p) / n) ** 0.5) if setup.classes else NOISE


def cured(item: Item, seconds: float, *, before: float | None = None, repaired: float | None = None) -> dict[str, Any]:
    """What a cure makes of one set-up.

    Parameters  before, repaired : scores on the test part, measured here where they are not given
    A curable set-up is cured when it reaches the score of the repaired one; one whose data holds no answer is well treated
    when the user is told so and it is not harmed; a healthy one when it is not harmed.
    """
    X, y, _, _ = item.setup.data()
    # Test samples are not to decide what is kept; those of a leak are no test samples.
    unused = ("verbose",) if "data-leakage" in item.causes else ("verbose", "validation_data")
    arguments = {k: v for k, v in item.setup.arguments().items() if k not in unused}
    found: dict[str, Any] = {"name": item.name, "part": part(item.name), "group": item.group, "error": ""}
    found |= {"changes": [], "advice": [], "parts": {}}
    after = None
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cure = item.setup.prepare().cure(X, y, time_budget=seconds, verbose=0, **arguments)
            after = evaluate(item.setup, cure.network) if cure.changes else None
            found |= {"changes": [str(c) for c in cure.changes], "advice": list(cure.advice), "parts": dict(cure.parts)}
            found["correct"] = [str(c) for c in cure.correct]
        except Exception as failure:
            found["error"] = f"{type(failure).__name__}: {failure}"
    found["seconds"] = time.perf_counter() - started
    found["before"] = evaluate(item.setup, fitted(item.setup)) if before is None else before
    found["after"] = found["before"] if after is None else after
    if repaired is None:
        repaired = found["before"] if item.repaired is None else evaluate(item.repaired, fitted(item.repaired))
    found["repaired score"] = repaired
    if item.group == "data":
        found["cured"] = bool(found["advice"]) and (not found["changes"] or found["after"] >= found["before"] - NOISE)
    else:
        found["cured"] = found["after"] >= repaired - noise(item.setup, repaired) and not found["error"]
        found["within 0.03"] = found["after"] >= repaired - NOISE and not found["error"]
    return found


def line(result: dict[str, Any]) -> str:
    """One result in words."""
    bad = {"curable": "NOT CURED ", "data": "NOT ADVISED ", "healthy": "HARMED "}[result["group"]]
    what = "; ".join((*result["changes"], *(f"[{a}]" for a in result["advice"])))
    scores = f"{result['before']:.3f} → {result['after']:.3f} of {result['repaired score']:.3f}"
    mark = "" if result["cured"] else bad
    return f"{mark}[{result['part']}] {result['name']}: {scores} in {result['seconds']:.1f} s {what} {result['error'][:120]}"


def summary(results: list[dict[str, Any]]) -> str:
    """Shares by group, over results that all have been through ``cured``."""
    words = {"curable": "cured", "data": "only the data can cure: advised and not harmed", "healthy": "not harmed"}
    shares = []
    for group in GROUPS:
        own = [r for r in results if r["group"] == group]
        if own:
            good, changed = (sum(bool(r[key]) for r in own) / len(own) for key in ("cured", "changes"))
            shares.append(
                f"{len(own)} {group}: {words[group]} {good:.3f}" + f", changed {changed:.3f}" * (group == "healthy")
            )
    return "; ".join(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--match", default="", help="only set-ups whose name holds this")
    parser.add_argument("--part", choices=("tune", "judge", "all"), default="all")
    parser.add_argument(
        "--programs", nargs="?", const="first", choices=("first", "second"), help="programs in place of the catalogue"
    )
    parser.add_argument("--every", type=int, default=1, help="only every so many-th set-up")
    parser.add_argument("--first", type=int, default=0, help="the first of those")
    parser.add_argument("--seconds", type=float, default=15.0, help="time budget of each cure")
    parser.add_argument("--json", type=Path, help="write every result to this file")
    options = parser.parse_args()
    items = list(programs(options.programs)) if options.programs else [*faulty(), *healthy()]
    items = [i for i in items if options.match in i.name and options.part in ("all", part(i.name)) and i.setup.here]
    items = [i for i in items if isinstance(i.setup.prepare(), Network)]
    results, repaired = [], dict[Any, float]()
    for item in items[options.first :: options.every]:
        if item.repaired is not None and item.repaired not in repaired:
            repaired[item.repaired] = evaluate(item.repaired, fitted(item.repaired))
        results.append(cured(item, options.seconds, repaired=None if item.repaired is None else repaired[item.repaired]))
        print(line(results[-1]), flush=True)
    for which in ("tune", "judge", "all"):
        own = [r for r in results if which in ("all", r["part"])]
        if own:
            print(f"{which:5}  {summary(own)}; longest {max(r['seconds'] for r in own):.1f} s")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
