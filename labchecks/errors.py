"""The phrase book: ten mistakes with autograd, what torch says, why, and the cure.

``labchecks.student`` names the cause of an error by it, lab 00 shows it as a table, and
``python -m labchecks errors`` prints it as the page docs/errors.md.
"""

import html
import re
import sys
import warnings
from difflib import get_close_matches
from typing import NamedTuple

import torch

_STEP, _GRADIENT = "lab 01, One step", "lab 01, One gradient"


class Hint(NamedTuple):
    """A likely cause, and where in the labs to look."""

    text: str
    where: str = ""


NO_GRAD = Hint("Put the update inside 'with torch.no_grad():'.", _STEP)
WHOLE = Hint(
    "Integers have no slope: write 1.0 for 1, or convert by .double() before the mark."
)
LOST = Hint(
    "Autograd has lost a tensor: backward() or requires_grad_() is missing, the "
    "tensor is not in the loss or cut off by detach(), or 'U = U - …' made a new one. "
    "Update in place, 'U -= …'.",
    _STEP,
)
UNRECORDED = Hint(
    "Autograd has lost a tensor: mark it by requires_grad_(), update it by 'U -= …', "
    "and keep no_grad() and detach() out of the loss. (A gradient of a gradient needs "
    "create_graph=True.)",
    "lab 00, The record",
)
UNMARKED = Hint(
    "Differentiate by the very tensor that was marked and went into the calculation: "
    "a copy of it, or what it was copied from, is another one.",
    "lab 00, A gradient of a gradient",
)
ONCE = Hint(
    "Compute the loss anew in each step, not once only before the loop.", _GRADIENT
)
CHANGED = Hint(
    "A tensor was changed between the loss and backward(): first backward(), then"
    " the update.",
    _STEP,
)
NO_SCALAR = Hint("Take the sum or the mean, so that the loss is one number.")
DTYPES = Hint(
    "Two dtypes meet: give what you create (randn, zeros, eye) the dtype of what is "
    "handed in."
)
DETACH = Hint("Call .detach() before .numpy(); a tensor keeps its graph until then.")
ARGUMENTS = Hint("The function must take the arguments that the exercise names.")

# What an error says (a pattern), and what is likely behind it.
CAUSES = {
    r"leaf Variable that requires grad.*in-place": NO_GRAD,
    r"[Oo]nly Tensors of floating point": WHOLE,
    r"could not infer output dtype": Hint(
        "A mean needs numbers that are not whole, nor True or False: .double().mean()."
    ),
    r"'float' object has no attribute": Hint(
        "That is a plain number already: take the tensor, and .item() last."
    ),
    r"used as indices": Hint(
        "Zeros and ones that are floats are no index: make them True and False, "
        "mask == 1, or multiply by them."
    ),
    r"'bool' object has no attribute": Hint(
        "A comparison gave one True or False, so not two tensors were compared: "
        "max(dim=…) returns a pair, and argmax gives the places alone."
    ),
    r"bitwise_xor|type\(s\) for \^": Hint("^ is no power in Python: write ** 2."),
    r"differentiated Tensor.*(not require grad|not have been used)": UNMARKED,
    r"does not require grad": UNRECORDED,
    r"NoneType.*'append'": Hint("losses.append(…) stands alone: it returns None."),
    r"NoneType": LOST,
    r"backward through the graph a second time": ONCE,
    r"modified by an inplace operation": CHANGED,
    r"created only for scalar outputs": NO_SCALAR,
    r"[Tt]arget \d+ is out of bounds": Hint(
        "One class is missing: classes count from 0, so there is one more than the "
        "largest target, and no fixed number of them."
    ),
    r"scalar type|same dtype|type: Float|dtype": DTYPES,
    r"numpy\(\) on Tensor that requires grad": DETACH,
    r"be square|square matri": Hint(
        "inv and solve need a square matrix, and this one is not: compare with what "
        "the exercise names."
    ),
    r"size of tensor .* must match": Hint(
        "Two shapes do not fit, entry by entry: print both, and look for one that "
        "is transposed, a * that should be @, or a sum or argmax along another dim."
    ),
    r"shapes? |size mismatch|dimension": Hint(
        "Two shapes do not fit: write the shape beside each factor, and look for a "
        "matrix that is transposed, in the wrong place, or of the size of the lab's "
        "data, not of what is handed in."
    ),
    r"^name '": Hint(
        "No cell that was run has made this name: is it misspelt, or was a cell "
        "skipped?"
    ),
    r"access local variable": Hint(
        "A name that a function assigns is its own: give it a value first, or take "
        "another name."
    ),
    r"argument": ARGUMENTS,
}


class Mistake(NamedTuple):
    """A mistake: lines of code, a piece of what torch says to the last, why, the cure.

    ``says`` is the value of the last line where there is no error.
    """

    code: str
    says: str
    why: str
    cure: str


MISTAKES = (
    Mistake(
        "w = torch.tensor(1.0, requires_grad=True)\nw -= 0.1",
        "a leaf Variable that requires grad is being used in an in-place operation",
        "The step itself would be recorded, and w would no longer be a leaf.",
        NO_GRAD.text,
    ),
    Mistake(
        "w = torch.tensor(1.0, requires_grad=True)\ny = w.exp()\ny += 1\ny.backward()",
        "has been modified by an inplace operation",
        "The slope of exp is its own result, which += has overwritten.",
        CHANGED.text,
    ),
    Mistake(
        "w = torch.tensor(1.0, requires_grad=True)\ny = w.exp()\ny.backward()\n"
        "y.backward()",
        "Trying to backward through the graph a second time",
        "The first call has thrown away what the record kept.",
        ONCE.text,
    ),
    Mistake(
        "w = torch.ones(2, requires_grad=True)\nloss = (w.detach() ** 2).sum()\n"
        "loss.backward()",
        "does not require grad and does not have a grad_fn",
        "No record leads from the loss to a marked tensor: detach() has cut it.",
        UNRECORDED.text,
    ),
    Mistake(
        "w = torch.ones(3, requires_grad=True)\n(2 * w).backward()",
        "grad can be implicitly created only for scalar outputs",
        "Three numbers have no single slope.",
        NO_SCALAR.text,
    ),
    Mistake(
        "U = torch.ones(2, requires_grad=True)\n(U * U).sum().backward()\n"
        "U = U - 0.1 * U.grad\n0.1 * U.grad",
        "unsupported operand type(s) for *: 'float' and 'NoneType'",
        "The new U is the result of an operation, no leaf: its .grad is None.",
        LOST.text,
    ),
    Mistake(
        "A = torch.ones(2, 2, dtype=torch.float64)\nA @ torch.ones(2, 2)",
        "have the same dtype",
        "torch creates float32, NumPy float64, and a product converts neither.",
        DTYPES.text,
    ),
    Mistake(
        "p = torch.tensor([[1], [2], [3]])\ny = torch.tensor([1, 2, 3])\n"
        "((p - y) ** 2).sum().item()",
        "12",
        "No error, though p holds what y holds: (3, 1) and (3,) broadcast to (3, 3).",
        "Print both shapes, and give both the same: p.flatten(), or y[:, None].",
    ),
    Mistake(
        "x = torch.tensor(0.0, requires_grad=True)\n"
        "torch.where(x > 0, x.sqrt(), 0.0).backward()\nx.grad.item()",
        "nan",
        "No error: the root has the slope ∞ at 0, the mask multiplies it by 0.",
        "Mask before the root, too: torch.where(x > 0, "
        "torch.where(x > 0, x, 1.0).sqrt(), 0.0).",
    ),
    Mistake(
        "w = torch.ones(2, requires_grad=True)\nw.numpy()",
        "Can't call numpy() on Tensor that requires grad",
        "NumPy can't record what it does to the numbers.",
        DETACH.text,
    ),
)


def said(code):
    """Run lines of code; return what the last one gives, or the error, as a text.

    >>> said("x = torch.ones(2)\\nx.sum().item()")
    '2.0'
    >>> said("1 / 0")
    'ZeroDivisionError: division by zero'
    """
    *first, last = code.split("\n")
    names = {"torch": torch}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec("\n".join(first), names)
            try:
                return repr(eval(last, names))
            except SyntaxError:  # a statement, such as w -= 0.1
                exec(last, names)
                return "nothing"
        except Exception as error:
            return f"{type(error).__name__}: {error}".split("\n")[0]


def shown(mistake):
    """Run a mistake; return what torch says, cut to the part that all versions share.

    >>> shown(MISTAKES[2])
    'RuntimeError: Trying to backward through the graph a second time …'
    """
    found = said(mistake.code)
    kind, _, message = found.partition(": ")
    if not message or mistake.says not in message:
        return found
    before, _, after = message.partition(mistake.says)
    parts = "…" * bool(before), mistake.says, "…" * bool(after)
    return f"{kind}: {' '.join(filter(None, parts))}"


class Table(list):
    """Rows of (what you write, what torch says, why, the cure)."""

    columns = "you write", "torch says", "why, and the cure"

    def __repr__(self):
        lines = []
        for number, (code, *others) in enumerate(self, 1):
            lines.append(f"{number:2}  " + code.replace("\n", "\n    "))
            said = zip(("says:", "why:", "cure:"), others)
            lines += [f"    {name:5} {text}" for name, text in said]
        return "\n".join(lines)

    def _repr_html_(self):
        left = ' style="text-align: left; vertical-align: top"'
        head = "".join(f"<th{left}>{name}</th>" for name in ("", *self.columns))
        lines = [f"<table><thead><tr>{head}</tr></thead><tbody>"]
        for number, row in enumerate(self, 1):
            code, says, *others = (html.escape(text) for text in row)
            code = code.replace("\n", "<br>")
            cells = number, f"<code>{code}</code>", says, "<br>".join(others)
            cells = "".join(f"<td{left}>{cell}</td>" for cell in cells)
            lines.append(f"<tr>{cells}</tr>")
        return "\n".join([*lines, "</tbody></table>"])

    def markdown(self):
        """Return the table in Markdown, a str."""
        lines = [f"| | {' | '.join(self.columns)} |", "| --- " * 4 + "|"]
        for number, (code, says, why, cure) in enumerate(self, 1):
            code = "<br>".join(f"`{line}`" for line in code.split("\n"))
            lines.append(f"| {number} | {code} | {says} | {why}<br>{cure} |")
        return "\n".join(lines)


def table():
    """Run the ten mistakes; return a Table of what came of each."""
    return Table((m.code, shown(m), m.why, m.cure) for m in MISTAKES)


def page():
    """Return docs/errors.md, a str."""
    return f"""# Ten errors

What torch says to ten mistakes, why, and the cure. A cell of lab 00 runs the ten and
shows the same table; the checks name the same causes. This page is made by
`python -m labchecks errors`.

{table().markdown()}
"""


def likely_cause(error):
    """Return the Hint for an exception, or None.

    >>> try:
    ...     torch.ones(2).backwards()
    ... except AttributeError as error:
    ...     print(likely_cause(error).text)
    There is no backwards: did you mean backward?
    """
    if isinstance(error, AttributeError):
        of_module = re.match(r"module '([\w.]+)' has no attribute '(\w+)'", str(error))
        name, owner = error.name, error.obj
        if of_module:
            owner, name = sys.modules.get(of_module[1]), of_module[2]
        public = [each for each in dir(owner) if not each.startswith("_")]
        if close := get_close_matches(name or "", public, 1, 0.75):
            return Hint(f"There is no {name}: did you mean {close[0]}?")
    return cause(str(error))


def cause(message):
    """Return the Hint for an error's message, or None.

    >>> cause("'NoneType' object has no attribute 'sum'").where
    'lab 01, One step'
    """
    found = (hint for sign, hint in CAUSES.items() if re.search(sign, message))
    return next(found, None)
