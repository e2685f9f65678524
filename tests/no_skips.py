"""Fails when a test was skipped that must run: `python tests/no_skips.py JUNIT_XML`.

Tests skip themselves where something of the machine is missing: the vendors' contracts, the worked examples. Where they
must be at hand, a skip is a failure. Allowed by name: machines on which network namespaces cannot be made (workers on
several machines) or no browser can be had, and ERPs that have no approval procedures.
"""

import sys
import xml.etree.ElementTree as ET

ALLOWED = ("network namespaces cannot be made here", "has no approval procedures", "no Chromium on this machine")


def main(path: str) -> int:
    cases = list(ET.parse(path).iter("testcase"))
    skips = [(case, skip.get("message") or "") for case in cases for skip in case.iter("skipped")]
    refused = [(case, why) for case, why in skips if not any(name in why for name in ALLOWED)]
    for case, why in refused:
        print(f"skipped, but must run: {case.get('classname')}.{case.get('name')}: {why}")
    for case, why in skips:
        if any(name in why for name in ALLOWED):
            print(f"skipped, as it may be: {case.get('classname')}.{case.get('name')}: {why}")
    watched = [
        c for c in cases if any(word in f"{c.get('classname')}.{c.get('name')}" for word in ("contract", "golden"))
    ]
    if not watched:
        print("no contract or golden test ran")
    return 1 if refused or not watched else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
