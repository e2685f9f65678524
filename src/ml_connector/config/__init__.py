"""The configuration of connections and integrations as files."""
