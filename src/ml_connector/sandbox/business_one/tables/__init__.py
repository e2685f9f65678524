"""Field tables: what the entities of the Service Layer have, as far as the stand-in keeps it."""
