"""One file per flow: what to read, which plan, how to apply. The whole story of a flow on a page."""
