"""``python -m tests.protocol [jobs] [RULE]`` tells the shortest run that goes wrong without it; no RULE lists them."""

from __future__ import annotations

import sys

from tests.protocol import explorer, rules, scenarios
from tests.protocol.jobs import explorer as jobs_explorer
from tests.protocol.jobs import rules as jobs_rules
from tests.protocol.jobs import scenarios as jobs_scenarios

_CONVERSATIONS = (explorer, rules, scenarios)
_JOBS = (jobs_explorer, jobs_rules, jobs_scenarios)


def main(arguments: list[str]) -> None:
    """List the rules, or explore every small world without the one that is named."""
    of_jobs = arguments[:1] == ["jobs"]
    explored, ruled, worlds = _JOBS if of_jobs else _CONVERSATIONS
    names = arguments[of_jobs:]
    if not names:
        print("\n".join(f"{name:<34}{ruled.why(name)}" for name in ruled.RULE_NAMES))
        return
    protocol = ruled.without(names[0])
    print(f"Without {names[0]}: {ruled.why(names[0])}")
    for name, bounds in worlds.SCENARIOS.items():
        violation = explored.explore(bounds, protocol).violation
        if violation:
            print(f"\nin the world {name!r}, {violation}")
            return
    sys.exit("nothing breaks: the rule is not needed, or no world is large enough to need it")


if __name__ == "__main__":
    main(sys.argv[1:])
