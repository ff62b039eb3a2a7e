"""A process that promotes versions until it is killed; tells how many events are in the folder after each.

python -m tests.registry.policy_writer FOLDER
"""

import sys
from pathlib import Path

from pointsman.registry.policy_folder import PolicyFolder
from pointsman.registry.policy_set import PolicySet, PolicyVersion, version_of


def one_more(policies: PolicySet) -> PolicySet:
    document = {"min_quality": (len(policies.events) + 1) / 1e6}
    made = PolicyVersion(version=version_of("default", document), document=document, since_s=1.0)
    return policies.promoted("default", made, {"action": "promote"})


def main() -> None:
    folder = PolicyFolder(Path(sys.argv[1]))
    while True:
        print(len(folder.change(one_more).events), flush=True)


if __name__ == "__main__":
    main()
