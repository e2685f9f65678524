"""``python -m ml_connector.sandbox bigcommerce business_one --json``."""

import sys

from ml_connector.sandbox.cli import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
