"""The benchmark: throughput and latency of the whole system, as ratios to the store's floor.

`make bench`, or `python -m loadtests.bench --help`. See docs/how-to/benchmark.md.
"""
