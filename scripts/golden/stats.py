"""Values of SciPy, NumPy and scikit-learn that src/stats is compared with: test/golden/stats.json.

    python3 -m pip install numpy scipy scikit-learn
    python3 scripts/golden/stats.py

Samples are written with the answers, so that the tests do not depend on NumPy's random numbers. Dynamic time warping
is in none of the three: the reference is the textbook recursion, over all cells.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy import special, stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score

warnings.simplefilter("ignore")
rng = np.random.default_rng(20240607)


def r(values, digits=6):
    return [float(round(v, digits)) for v in values]


SAMPLES = {
    "normal": r(rng.normal(0, 1, 40)),
    "shifted": r(rng.normal(0.7, 1.3, 55)),
    "close": r(rng.normal(0.1, 1, 37)),
    "same_size": r(rng.normal(0.2, 1, 40)),
    "ties": [float(v) for v in rng.integers(0, 6, 60)],
    "ties2": [float(v) for v in rng.integers(1, 8, 45)],
    "heavy": r(np.exp(rng.normal(5, 1.5, 80)), 3),
    "heavy2": r(np.exp(rng.normal(5.2, 1.3, 66)), 3),
    "five": [1.0, 2.0, 2.5, 4.0, 9.0],
    "six": [1.5, 2.0, 3.0, 3.0, 8.0, 10.0],
    "far": r(rng.normal(9, 1, 30)),
}
PAIRS = [("normal", "shifted"), ("normal", "close"), ("normal", "same_size"), ("ties", "ties2"),
         ("heavy", "heavy2"), ("five", "six"), ("normal", "far")]
HISTOGRAMS = [([1, 2, 3, 4], [4, 3, 2, 1]), ([0, 5, 5, 0, 1], [1, 4, 4, 1, 1]), ([0.1, 0.2, 0.7], [0.25, 0.25, 0.5]),
              ([100, 1, 0], [100, 2, 0]), ([1, 0, 0], [0, 0, 1])]


def divergences(p, q):
    a, b = np.array(p) / np.sum(p), np.array(q) / np.sum(q)
    return {
        "p": p, "q": q,
        "jsDistance2": float(jensenshannon(a, b, 2)), "jsDistanceE": float(jensenshannon(a, b)),
        "klNats": float(stats.entropy(a, b)) if np.all((b > 0) | (a == 0)) else None,
        "klBits": float(stats.entropy(a, b, base=2)) if np.all((b > 0) | (a == 0)) else None,
        "entropyBits": float(stats.entropy(a, base=2)),
        "totalVariation": float(np.abs(a - b).sum() / 2),
        "hellinger": float(np.linalg.norm(np.sqrt(a) - np.sqrt(b)) / np.sqrt(2)),
        "emd": float(stats.wasserstein_distance(range(len(a)), range(len(b)), a, b)),
    }


def dtw(a, b, window=None, square=False):
    n, m = len(a), len(b)
    w = max(window if window is not None else max(n, m), abs(n - m))
    table = np.full((n + 1, m + 1), np.inf)
    table[0, 0] = 0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            if abs(i - j) <= w:
                d = a[i - 1] - b[j - 1]
                table[i, j] = (d * d if square else abs(d)) + min(table[i - 1, j], table[i, j - 1], table[i - 1, j - 1])
    return float(table[n, m])


def two_samples(x, y):
    a, b = SAMPLES[x], SAMPLES[y]
    ks = stats.ks_2samp(a, b)
    ks_limit = stats.ks_2samp(a, b, method="asymp")
    ad = stats.anderson_ksamp([a, b])
    return {
        "a": x, "b": y,
        "ks": [float(ks.statistic), float(ks.pvalue), float(ks.statistic_location), int(ks.statistic_sign)],
        "ksAsymptotic": float(ks_limit.pvalue),
        "ad": [float(ad.statistic), float(ad.pvalue)],
        "adCritical": [float(v) for v in ad.critical_values],
        "emd": float(stats.wasserstein_distance(a, b)),
        "dtw": dtw(a, b), "dtwWindow5": dtw(a, b, 5), "dtwSquared": dtw(a, b, None, True),
    }


def correlations(x, y):
    n = min(len(SAMPLES[x]), len(SAMPLES[y]))
    a, b = SAMPLES[x][:n], SAMPLES[y][:n]
    p, s = stats.pearsonr(a, b), stats.spearmanr(a, b)
    return {"a": x, "b": y, "n": n, "pearson": [float(p.statistic), float(p.pvalue)],
            "spearman": [float(s.statistic), float(s.pvalue)]}


def autocorrelation(x, lags):
    x = np.array(x) - np.mean(x)
    return [float(np.dot(x[k:], x[: len(x) - k]) / np.dot(x, x)) for k in range(lags + 1)]


def large_ks():
    """Sizes above SciPy's limit for exact p values; the samples are arithmetic, not written out."""
    out = []
    for n, m, shift in [(12000, 11000, 0.004), (12000, 11000, 0.012), (12000, 11000, 0.02), (10500, 30000, 0.008)]:
        a = (np.arange(n) + 0.5) / n
        b = (np.arange(m) + 0.5) / m * (1 - shift) + shift
        ks = stats.ks_2samp(a, b)
        out.append({"n": n, "m": m, "shift": shift, "statistic": float(ks.statistic), "pValue": float(ks.pvalue)})
    return out


def bootstrap(name, statistic, method):
    x = np.array(SAMPLES[name])
    res = stats.bootstrap((x,), statistic, method=method, n_resamples=499, rng=np.random.default_rng(5))
    jackknife = [float(statistic(np.delete(x, i))) for i in range(len(x))]
    return {"sample": name, "statistic": statistic.__name__, "method": method.lower(),
            "estimate": float(statistic(x)), "replicates": [float(round(v, 9)) for v in res.bootstrap_distribution],
            "jackknife": jackknife, "low": float(res.confidence_interval.low),
            "high": float(res.confidence_interval.high), "standardError": float(res.standard_error)}


def weighted_emd():
    a, b = SAMPLES["five"], SAMPLES["six"]
    wa, wb = [1, 0, 2, 3, 0.5], [2, 2, 1, 0, 4, 1]
    return {"a": a, "b": b, "wa": wa, "wb": wb, "emd": float(stats.wasserstein_distance(a, b, wa, wb))}


def classification():
    truth = [int(v) for v in rng.integers(0, 4, 80)]
    guess = [t if rng.random() < 0.6 else int(rng.integers(0, 4)) for t in truth]
    scores = r(rng.normal(0, 1, 80) + np.array(truth) * 0.4, 1)
    positive = [t >= 2 for t in truth]
    return {"truth": truth, "predicted": guess, "scores": scores,
            "balanced": float(balanced_accuracy_score(truth, guess)),
            "confusion": confusion_matrix(truth, guess).tolist(), "auc": float(roc_auc_score(positive, scores))}


QUANTILE_METHODS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen",
                    "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest"]
SHARES = [0, 0.03, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.97, 1]
POINTS = [-2.0, -0.5, 0.0, 0.3, 1.0, 4.0]

golden = {
    "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__,
                 "scikit-learn": sklearn.__version__},
    "samples": SAMPLES,
    "divergences": [divergences(p, q) for p, q in HISTOGRAMS],
    "twoSamples": [two_samples(a, b) for a, b in PAIRS],
    "threeSamples": (lambda t: [float(t.statistic), float(t.pvalue)])(
        stats.anderson_ksamp([SAMPLES["normal"], SAMPLES["shifted"], SAMPLES["close"]])),
    "largeKs": large_ks(),
    "correlations": [correlations(a, b) for a, b in PAIRS + [("ties", "heavy"), ("shifted", "heavy")]],
    "autocorrelation": {n: autocorrelation(SAMPLES[n], 12) for n in ["normal", "ties", "heavy"]},
    "kde": [{"sample": n, "rule": rule, "factor": float(k.factor), "density": [float(v) for v in k(POINTS)],
             "bandwidth": float(np.sqrt(k.covariance[0, 0]))}
            for n in ["normal", "ties"] for rule in ["scott", "silverman", 0.3]
            for k in [stats.gaussian_kde(SAMPLES[n], rule)]],
    "points": POINTS,
    "ecdf": {n: [float(v) for v in stats.ecdf(SAMPLES[n]).cdf.evaluate(POINTS)] for n in ["normal", "ties"]},
    "shares": SHARES,
    "quantiles": {m: {n: [float(v) for v in np.quantile(SAMPLES[n], SHARES, method=m)] for n in ["five", "normal", "ties"]}
                  for m in QUANTILE_METHODS},
    "bootstrap": [bootstrap("heavy", s, m) for s in [np.mean, np.median] for m in ["percentile", "BCa"]],
    "weightedEmd": weighted_emd(),
    "classification": classification(),
    "special": {
        "normalCdf": [[z, float(stats.norm.cdf(z))] for z in [-8, -3, -1.5, -0.2, 0, 0.7, 2.1, 5]],
        "normalQuantile": [[p, float(stats.norm.ppf(p))] for p in [1e-10, 0.001, 0.025, 0.3, 0.5, 0.9, 0.9999]],
        "betaIncomplete": [[x, a, b, float(special.betainc(a, b, x))]
                           for x, a, b in [(0.2, 0.5, 0.5), (0.9, 3, 2), (0.01, 20, 0.5), (0.5, 100, 100), (0.999, 0.5, 8)]],
        "logGamma": [[x, float(special.gammaln(x))] for x in [0.1, 0.5, 1, 3.7, 50, 1234.5]],
    },
}
out = Path(__file__).resolve().parents[2] / "test" / "golden" / "stats.json"
out.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print(out, out.stat().st_size, "bytes")
