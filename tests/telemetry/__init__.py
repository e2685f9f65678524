"""Traces, and the dashboards and rules that are shipped."""
