"""One module a page: what it reads, which template shows it, what can be done there."""
