"""Surprise's models by the protocol of its README, on request, so that both sides can take turns.

Usage: rating.py RATINGS FOLDS, rows `user item rating` separated by tabs and a test fold for each row.
Then each line of standard input names an algorithm; each answer is one JSON line: means over folds, and
the seconds of all fits and predictions.
"""

import json
import random
import sys
import time

import numpy as np
import surprise
from surprise import Dataset, Reader, accuracy

ratings = [line.split("\t")[:3] for line in open(sys.argv[1]) if line.strip()]
folds = [int(line) for line in open(sys.argv[2])]
reader = Reader(rating_scale=(1, 5))
SPLITS = []
for fold in sorted(set(folds)):
    raw = [(u, i, float(r), None) for (u, i, r), f in zip(ratings, folds) if f != fold]
    test = [(u, i, float(r)) for (u, i, r), f in zip(ratings, folds) if f == fold]
    SPLITS.append((Dataset(reader).construct_trainset(raw), test))

print(json.dumps({"ratings": len(ratings), "folds": len(SPLITS)}), flush=True)
for line in sys.stdin:
    np.random.seed(0)
    random.seed(0)
    name = line.strip()
    quiet = {"verbose": False} if "KNN" in name or name in ("BaselineOnly", "CoClustering") else {}
    rmse, mae, seconds = [], [], 0.0
    for train, test in SPLITS:
        begun = time.perf_counter()
        predictions = getattr(surprise, name)(**quiet).fit(train).test(test)
        seconds += time.perf_counter() - begun
        rmse.append(accuracy.rmse(predictions, False))
        mae.append(accuracy.mae(predictions, False))
    print(json.dumps({"rmse": np.mean(rmse), "mae": np.mean(mae), "seconds": seconds}), flush=True)
