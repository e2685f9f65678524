"""The console: pages rendered in Python, one module each in `pages/`, on the same functions as the command line."""
