"""bench: exact top-10 of a million vectors by faiss's IndexFlatIP on one thread, one query and 128. One JSON line.

Exits 77, with a line that says so, where there is no faiss (Debian: python3-faiss)."""
import json
import sys
import time

try:
    import faiss
    import numpy
except ImportError as missing:
    print(f"bench: no faiss to compare with ({missing}; Debian: python3-faiss)", file=sys.stderr)
    sys.exit(77)

ITEMS, DIM, BATCH, BEST, SINGLES = 1_000_000, 64, 128, 10, 50


def seconds(index, queries):
    start = time.perf_counter()
    index.search(queries, BEST)
    return time.perf_counter() - start


def main():
    random = numpy.random.default_rng(1)
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(DIM)
    index.add(random.uniform(-1, 1, (ITEMS, DIM)).astype(numpy.float32))
    queries = random.standard_normal((BATCH, DIM)).astype(numpy.float32)
    seconds(index, queries[:1])
    one = numpy.median([seconds(index, queries[i:i + 1]) for i in range(SINGLES)])
    many = numpy.median([seconds(index, queries) for _ in range(3)])
    print(json.dumps({"bench": "faiss", "version": faiss.__version__, "items": ITEMS, "dim": DIM, "k": BEST, "threads": 1,
                      "p50_ms": round(1e3 * one, 4), "batch": BATCH, "batch_ms": round(1e3 * many, 2)}))


if __name__ == "__main__":
    main()
