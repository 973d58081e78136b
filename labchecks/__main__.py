"""``python -m labchecks``: make or read the entry of a prediction; print the errors.

python -m labchecks digest starts 200 50="…" 100="…" 200="…"
python -m labchecks reasons 01
python -m labchecks errors > docs/errors.md
"""

import argparse
import importlib
import sys

from labchecks import errors
from labchecks.predictions import Question, seal


def digest(arguments):
    """Print the entry of a question: its options, the right one, and their reasons."""
    reasons = dict(pair.partition("=")[::2] for pair in arguments.reasons)
    if arguments.right not in reasons or not all(reasons.values()):
        return f"each option needs a reason, {arguments.right} too: got {reasons}"
    sealed = seal(Question(list(reasons), arguments.right, reasons))
    print(f'    {arguments.question.replace("-", "_")}="{sealed}",')
    return 0


def reasons(arguments):
    """Print the questions of a lab in plain words. They give the answers away."""
    lab = importlib.import_module(f"labchecks.lab{arguments.lab}")
    for name, question in lab.prediction.questions.items():
        print(f"{name}: right is {question.right}")
        for option, reason in question.reasons.items():
            print(f"  {option}: {reason}")
    return 0


def main(argv=None):
    """Run the command that the arguments name, and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m labchecks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("digest", help="make the entry of a prediction")
    command.add_argument("question", help="the name of the question")
    command.add_argument("right", help="the right option")
    command.add_argument("reasons", nargs="+", metavar="OPTION=REASON")
    command.set_defaults(run=digest)
    command = commands.add_parser("reasons", help="show them, answers too")
    command.add_argument("lab", help="its number, such as 01")
    command.set_defaults(run=reasons)
    command = commands.add_parser("errors", help="print the page of ten errors")
    command.set_defaults(run=lambda arguments: print(errors.page(), end="") or 0)
    arguments = parser.parse_args(argv)
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
