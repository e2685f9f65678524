"""Measurements against targets, in one run: `python -m bench`. `docs/performance.md` says what each row means."""
