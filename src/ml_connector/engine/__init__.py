"""The engine: records, runs, postings, the worker loop and what they share through one PostgreSQL."""
