"""Accuracies of scikit-learn that src/stats/learn is compared with: test/golden/forest.json.

    python3 -m pip install numpy scikit-learn
    python3 scripts/golden/forest.py

The data are arithmetic: `numbers` is xorshift32, and test/stats/learnData.ts makes the same values, so none are stored.
Trees and forests are averaged over seeds; the planes and kernel machines have one optimum, and their decisions are
stored for the first test items.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

warnings.simplefilter("ignore")


def numbers(seed):
    x = seed
    while True:
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
        yield x


def ternary(seed, items, columns, classes, follow):
    """Class templates of -1, 0, 1: a value follows its class's with `follow` of 256, else it is 0 or 1 at random."""
    draw = numbers(seed)
    template = [next(draw) % 3 - 1 for _ in range(classes * columns)]
    x, y = np.zeros((items, columns)), []
    for i in range(items):
        k = next(draw) % classes
        for c in range(columns):
            r = next(draw) >> 8
            x[i, c] = template[k * columns + c] if (r & 255) < follow else (r >> 8) & 1
        y.append(k)
    return x, np.array(y)


def sizes(seed, items, columns, classes):
    """Packet sizes: two levels that depend on class and column, and a triangular spread."""
    draw = numbers(seed)
    x, y = np.zeros((items, columns)), []
    for i in range(items):
        k = next(draw) % classes
        for c in range(columns):
            r = next(draw) >> 8
            base = 60 + ((k * 7 + c * 5) % 11) * 40 if r & 1 else 600 + ((k * 3 + c) % 7) * 90
            x[i, c] = base + (next(draw) >> 8) % 240 + (next(draw) >> 8) % 240
        y.append(k)
    return x, np.array(y)


DATA = {
    "ternary": dict(make=ternary, args=[7, 1200, 160, 6, 14], train=600),
    "ternary2": dict(make=ternary, args=[11, 800, 64, 2, 20], train=400),
    "sizes": dict(make=sizes, args=[5, 1600, 6, 4], train=800),
    "sizes2": dict(make=sizes, args=[13, 700, 5, 2], train=350),
}
SEEDS = range(24)


def mean_accuracy(build, xt, yt, xs, ys):
    return float(np.mean([(build(seed).fit(xt, yt).predict(xs) == ys).mean() for seed in SEEDS]))


result = {"version": sklearn.__version__, "sets": {}}
for name, spec in DATA.items():
    x, y = spec["make"](*spec["args"])
    n = spec["train"]
    xt, yt, xs, ys = x[:n], y[:n], x[n:], y[n:]
    # Packet sizes are scaled for the machines, by numbers that both sides have.
    st, ss = (xt, xs) if name.startswith("ternary") else ((xt - 500) / 300, (xs - 500) / 300)
    importances = [RandomForestClassifier(200, random_state=s, n_jobs=2).fit(xt, yt).feature_importances_ for s in [0, 1]]
    linear = LinearSVC(tol=1e-9, max_iter=1000000, random_state=0).fit(st, yt)
    hinge = LinearSVC(loss="hinge", tol=1e-9, max_iter=1000000, C=0.05, random_state=0).fit(st, yt)
    kernel = SVC(tol=1e-8).fit(st, yt)
    pairs = SVC(tol=1e-8, decision_function_shape="ovo").fit(st, yt)
    decide = lambda m, s: np.atleast_2d(m.decision_function(s[:5]).reshape(5, -1)).round(9).tolist()
    result["sets"][name] = {
        "args": spec["args"], "train": n, "sum": float(x.sum()), "labels": y[:12].tolist(),
        "tree": mean_accuracy(lambda s: DecisionTreeClassifier(random_state=s), xt, yt, xs, ys),
        "treeDepth4": mean_accuracy(lambda s: DecisionTreeClassifier(max_depth=4, random_state=s), xt, yt, xs, ys),
        # Equally good splits are taken by chance: every tree of three levels that 30 seeds give.
        "depth3": sorted({"".join(map(str, DecisionTreeClassifier(max_depth=3, random_state=s).fit(xt, yt).predict(xs)))
                          for s in range(30)}),
        "forest": mean_accuracy(lambda s: RandomForestClassifier(100, random_state=s, n_jobs=2), xt, yt, xs, ys),
        "forestLeaf5": mean_accuracy(
            lambda s: RandomForestClassifier(40, min_samples_leaf=5, max_features=0.5, random_state=s), xt, yt, xs, ys),
        # Beside them how far two of scikit-learn's own forests agree: the estimate is noisy.
        "importances": importances[0].round(6).tolist(),
        "importancesAgree": float(np.corrcoef(importances[0], importances[1])[0, 1]),
        "linear": float((linear.predict(ss) == ys).mean()), "linearDecisions": decide(linear, ss),
        "hinge": float((hinge.predict(ss) == ys).mean()), "hingeDecisions": decide(hinge, ss),
        "kernel": float((kernel.predict(ss) == ys).mean()), "kernelDecisions": decide(pairs, ss),
        "supportVectors": int(kernel.n_support_.sum()),
    }
    print(name, {k: v for k, v in result["sets"][name].items() if isinstance(v, (float, int))})
out = Path(__file__).resolve().parents[2] / "test" / "golden" / "forest.json"
out.write_text(json.dumps(result, separators=(",", ":")) + "\n")
print(out, out.stat().st_size, "bytes")
