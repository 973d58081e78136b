"""The graph that autograd records of a calculation, read from ``grad_fn`` itself."""

from typing import NamedTuple

import torch

from labhelpers._require import require


class Node(NamedTuple):
    """A box of autograd's record, in texts; "–" stands for what is not known or kept.

    ``inputs`` are names of nodes, "–" for what is not recorded. A leaf has none.

    Examples
    --------
    >>> print(Node("y", "mul", ("w", "–"), "6", "1"))
    y = mul(w, –)  value 6  gradient 1
    """

    name: str
    operation: str
    inputs: tuple
    value: str
    grad: str

    def __str__(self):
        made = f"{self.operation}({', '.join(self.inputs)})" if self.inputs else "leaf"
        return f"{self.name} = {made}  value {self.value}  gradient {self.grad}"


def record(result, names):
    """Read what autograd has recorded of a result, and which gradients are kept.

    ``names`` is ``{name: tensor}``; what has no name gets a number. Returns a list of
    Node, each once, inputs before what is made of them.

    Examples
    --------
    >>> w = torch.tensor(3.0, requires_grad=True)
    >>> for node in record(w * w + 1, {"w": w}):
    ...     print(node)
    w = leaf  value 3  gradient –
    (1) = mul(w, w)  value –  gradient –
    (2) = add((1), –)  value –  gradient –
    """
    recorded = isinstance(result, torch.Tensor) and result.requires_grad
    require(recorded, "result", repr(result), "a tensor that autograd has recorded")
    fits = isinstance(names, dict) and all(
        isinstance(n, str) and isinstance(t, torch.Tensor) for n, t in names.items()
    )
    require(fits, "names", repr(names), "a dict {text: tensor}")
    edge = torch.autograd.graph.get_gradient_edge
    known = {edge(t).node: (n, t) for n, t in names.items() if t.requires_grad}
    nodes, stack, unnamed = {None: Node("–", "", (), "–", "–")}, [edge(result).node], 0
    while stack:
        inputs = [function for function, _ in stack[-1].next_functions]
        missing = [function for function in inputs if function not in nodes]
        stack += missing[::-1]
        if not missing and (function := stack.pop()) not in nodes:
            unnamed += function not in known
            leaf = getattr(function, "variable", None)
            name, tensor = known.get(function, (f"({unnamed})", leaf))
            kept = tensor is not None and (tensor.is_leaf or tensor.retains_grad)
            operation = type(function).__name__.split("Backward")[0].lower()
            operation = operation if leaf is None else "leaf"
            inputs = tuple(nodes[each].name for each in inputs)
            value, grad = _in_short(tensor), _in_short(tensor.grad if kept else None)
            nodes[function] = Node(name, operation, inputs, value, grad)
    return [*nodes.values()][1:]


def _in_short(tensor):
    if tensor is None or tensor.numel() != 1:
        return "–" if tensor is None else f"of shape {tuple(tensor.shape)}"
    return f"{tensor.item():.4g}"
