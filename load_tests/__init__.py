"""Benchmarks and load: their protocols, workloads and results."""
