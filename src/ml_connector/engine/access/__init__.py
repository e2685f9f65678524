"""Who is let in: users, passwords, second factors, sessions, API tokens, one-time links, and the limits on trying.

Every change is in the audit, committed with it. Nothing that lets somebody in is stored as it is: passwords are
hashed with argon2id, sessions, tokens, links and recovery codes (at least 80 random bits) with SHA-256, and the secrets
of second factors are sealed in the vault.
"""
