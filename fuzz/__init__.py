"""Hostile input for everything that reads what others send: `make fuzz`. How to read it: `docs/hostile-input.md`."""
