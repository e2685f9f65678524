"""What every stand-in is served with: clock, faults, request log, control API, TLS, the runner."""
