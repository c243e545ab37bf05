"""The models of `implicit`, and EASE in a few lines of numpy, on request: recall@20 and NDCG@20 by full
ranking, and seconds to fit.

Usage: lists.py TRAIN TEST, files of lines `user item item ...`. Then each line of standard input names a
model; each answer is one JSON line. Recall = hits / relevant, NDCG with log2 discount and the best list of
min(k, relevant) hits, ties by item, training items left out, means over users with a test item.
"""

import json
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender

K = 20
DISCOUNT = 1 / np.log2(np.arange(2, K + 2))


def read(path):
    rows = [[int(x) for x in line.split()] for line in open(path) if line.strip()]
    return {row[0]: row[1:] for row in rows}


train, test = read(sys.argv[1]), {u: v for u, v in read(sys.argv[2]).items() if v}
shape = (max(max(train), max(test)) + 1, max(max(v) for v in [*train.values(), *test.values()] if v) + 1)
users = np.concatenate([np.full(len(v), u) for u, v in train.items()])
items = np.concatenate([np.array(v, int) for v in train.values()])
X = sp.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
X.sum_duplicates()
X.data[:] = 1


def quality(scores_of):
    recall, ndcg = [], []
    for user, relevant in test.items():
        scores = np.array(scores_of(user), np.float64)
        scores[X.indices[X.indptr[user] : X.indptr[user + 1]]] = -np.inf
        top = np.lexsort((np.arange(len(scores)), -scores))[:K]
        relevant = set(relevant)
        hit = np.array([item in relevant for item in top], float)
        recall.append(hit.sum() / len(relevant))
        ndcg.append((hit * DISCOUNT).sum() / DISCOUNT[: min(K, len(relevant))].sum())
    return {"recall@20": float(np.mean(recall)), "ndcg@20": float(np.mean(ndcg))}


def neighbours(kind):
    model = kind(K=100, num_threads=2)
    model.fit(X, show_progress=False)
    return lambda: (lambda scores: lambda user: scores[user].toarray().ravel())(X @ model.similarity.tocsr())


def factors(model):
    model.fit(X, show_progress=False)
    return lambda: lambda user: model.item_factors @ model.user_factors[user]


def ease():
    gram = (X.T @ X).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += 300.0
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices_from(weights)] = 0
    return lambda: (lambda scores: lambda user: scores[user])(X @ weights)


MODELS = {
    "item_knn (cosine)": lambda: neighbours(CosineRecommender),
    "item_knn (tf-idf)": lambda: neighbours(TFIDFRecommender),
    "item_knn (bm25)": lambda: neighbours(BM25Recommender),
    "als": lambda: factors(
        AlternatingLeastSquares(64, regularization=20.0, alpha=10.0, iterations=15, random_state=0, num_threads=2)
    ),
    "bpr": lambda: factors(BayesianPersonalizedRanking(64, iterations=100, random_state=0, num_threads=2)),
    "ease": ease,
}

print(json.dumps({"models": list(MODELS)}), flush=True)
for line in sys.stdin:
    begun = time.perf_counter()
    scores = MODELS[line.strip()]()
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, **quality(scores())}), flush=True)
