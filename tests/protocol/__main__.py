"""``python -m tests.protocol RULE`` tells the shortest run that goes wrong without it; no RULE lists them."""

from __future__ import annotations

import sys

from tests.protocol.explorer import explore
from tests.protocol.rules import RULE_NAMES, why, without
from tests.protocol.scenarios import SCENARIOS


def main(arguments: list[str]) -> None:
    """List the rules, or explore every small world without the one that is named."""
    if not arguments:
        print("\n".join(f"{name:<34}{why(name)}" for name in RULE_NAMES))
        return
    rules = without(arguments[0])
    print(f"Without {arguments[0]}: {why(arguments[0])}")
    for name, bounds in SCENARIOS.items():
        violation = explore(bounds, rules).violation
        if violation:
            print(f"\nin the world {name!r}, {violation}")
            return
    sys.exit("nothing breaks: the rule is not needed, or no world is large enough to need it")


if __name__ == "__main__":
    main(sys.argv[1:])
