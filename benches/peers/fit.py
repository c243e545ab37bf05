"""Fits one peer's model at a time, on request, so that both sides can take turns.

Usage: fit.py TRAIN, a file of lines `user item item ...`. Then each line of standard input names a
fit; each answer is one JSON line: seconds, and where there is one the relative error.
"""

import json
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import svds

rows = [[int(x) for x in line.split()] for line in open(sys.argv[1]) if line.strip()]
users = np.concatenate([np.full(len(row) - 1, row[0]) for row in rows])
items = np.concatenate([np.array(row[1:], int) for row in rows])
X = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)))
X.sum_duplicates()
X.data[:] = 1
SQUARES = float(X.power(2).sum())


def relative_error(w, h):
    cross = np.sum((X @ h.T) * w)
    return float(np.sqrt((SQUARES - 2 * cross + np.sum((w.T @ w) * (h @ h.T))) / SQUARES))


def item_knn():
    from implicit.nearest_neighbours import CosineRecommender

    CosineRecommender(K=100, num_threads=2).fit(X, show_progress=False)


def als(n_epochs):
    from implicit.als import AlternatingLeastSquares

    AlternatingLeastSquares(
        factors=64, iterations=n_epochs, regularization=20.0, alpha=10.0, random_state=0, num_threads=2
    ).fit(X, show_progress=False)


def svd():
    u, s, v = svds(X, 64, solver="propack")
    return lambda: relative_error(u * s, v)


def nmf():
    from sklearn.decomposition import NMF

    model = NMF(64, init="random", max_iter=100, random_state=0, tol=0)
    w = model.fit_transform(X)
    return lambda: relative_error(w, model.components_)


def ease():
    gram = (X.T @ X).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += 300.0
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices_from(weights)] = 0


def gemm():
    a = np.random.default_rng(0).standard_normal((2048, 2048), np.float32)
    begun = time.perf_counter()
    a @ a
    return {"gflops": 2 * 2048**3 / (time.perf_counter() - begun) / 1e9}


FITS = {
    "item_knn": item_knn,
    "als_1": lambda: als(1),
    "als_6": lambda: als(6),
    "svd": svd,
    "nmf": nmf,
    "ease": ease,
    "gemm": gemm,
}

print(json.dumps({"users": X.shape[0], "items": X.shape[1], "interactions": int(X.nnz)}), flush=True)
for line in sys.stdin:
    begun = time.perf_counter()
    result = FITS[line.strip()]()
    answer = {"seconds": time.perf_counter() - begun}
    if callable(result):
        answer["relative_error"] = result()
    elif result:
        answer.update(result)
    print(json.dumps(answer), flush=True)
