"""A strict reader of the SQL that ``SQLQueries`` takes: a select over allow-listed tables, and nothing else."""
