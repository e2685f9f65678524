"""Every rule of `docs/exactly-once.md` is taken out of the code once, and a named test must turn red.

`rules*.py` hold the mutants as data, `runner.py` applies one at a time to a copy of the source, `__main__.py` is the
command (`make mutations`), `test_mutants.py` checks that no mutant has gone stale.
"""
