"""Load tests: locust files and the benchmark harness."""
