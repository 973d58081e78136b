"""The words of the hints, by a key that says nothing to who hasn't got the words."""

import ast
import hashlib
import itertools
from functools import cache
from pathlib import Path

SHORTEST = 12  # of a hint
LONGEST = 20  # of a name that a hint is about
UNKNOWN = ("", "")


def key(hint):
    """Return a short key that a hint's words can be looked up by, and not be read from.

    >>> key("The loss is a sum, not a mean.")
    '02be275008'
    """
    return hashlib.sha256(hint.encode()).hexdigest()[:10]


@cache
def by_key():
    """Return {key: hint} of the hints in the code of the checks.

    What a text is put together from is followed as far as that can be told without
    running it. Where one piece can't, as in ``f"{name} is one number."``, each short
    text in the checks is tried in its place. What a student wrote is in none of them.
    """
    found = set()
    for path in Path(__file__).parent.glob("*.py"):
        found |= texts(path.read_text(encoding="utf-8"))
    names = [text for text, *rest in found if not rest and len(text) <= LONGEST]
    hints = {name.join(pieces) for pieces in found for name in names}
    return {key(hint): hint for hint in hints if len(hint) >= SHORTEST}


def texts(source):
    """Return the texts in a module that have at most one piece which isn't known.

    Each is a tuple of one piece, or of the two around what isn't known.

    >>> sorted(texts("a = 'b'\\nf'{a} and {c}.'"), key=len)[-1]
    ('b and ', '.')
    """
    known, found = {}, {UNKNOWN}
    nodes = [node for node in ast.walk(ast.parse(source)) if hasattr(node, "lineno")]
    for node in sorted(nodes, key=lambda node: (node.end_lineno, node.end_col_offset)):
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=value):
                known[name] = text = _text(value, known)
            case ast.AugAssign(target=ast.Name(name), value=value):
                parts = [known.get(name, UNKNOWN), _text(value, known)]
                known[name] = text = _joined(parts)
            case _:
                text = _text(node, known)
        found.add(text)
    return {text for text in found if text != UNKNOWN and len(text) <= 2}


def _text(node, known):
    """Return the pieces of a text around what isn't known, a tuple."""
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.Name(name):
            return known.get(name, UNKNOWN)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined([_text(left, known), _text(right, known)])
        case ast.JoinedStr(values=values):
            return _joined([_text(value, known) for value in values])
        case ast.FormattedValue(value=value):
            return _text(value, known)
        case ast.Call(func=ast.Attribute(value=value, attr="format"), args=args):
            first, *others = "".join(_text(value, known)).split("{}")
            pairs = zip([*args, *[None] * len(others)], others)
            parts = [(_text(arg, known), (text,)) for arg, text in pairs]
            return _joined([(first,), *itertools.chain(*parts)])
    return UNKNOWN


def _joined(texts):
    first, *others = texts or [("",)]
    for text in others:
        first = (*first[:-1], first[-1] + text[0], *text[1:])
    return first
