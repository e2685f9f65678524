"""What we know of other systems: one package per system, one contract for all (`base/`, `errors.py`)."""
