"""The long random run, `make crash`: thousands of orders, workers that are killed and stopped at any moment, faults of
both systems, a PostgreSQL that dies, a merchant who changes his mind; in the end the count in the sandbox's own state.

`docs/crash-run.md` explains it; `docs/crash-report.md` is what the last one found.
"""
