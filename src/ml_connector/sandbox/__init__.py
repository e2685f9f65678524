"""Stand-ins of the systems: strict servers for the demo, the tests, the benches and a person's own trial.

They share no code with the clients of this project. Each is written from the vendor's contract.
"""
