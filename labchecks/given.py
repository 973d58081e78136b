"""What a check hands over besides numbers and arrays: functions, and graphs of numbers.

Marking runs answers in another process. An object crosses if its class is in ``KINDS``:
``plain()`` says it in lists and numbers, ``KINDS[name].of(plain)`` makes it from them,
and ``follow(other)`` takes over what an answer has changed in its copy.
"""

import numpy as np
import torch


class Node:
    """A number that knows its parents, like the ``Value`` of lab 00.

    ``slopes`` are the derivatives of the number by its parents, one for each.
    """

    def __init__(self, number, parents=(), slopes=(), grad=0.0):
        self.number, self.grad = number, grad
        self.parents, self.slopes = tuple(parents), tuple(slopes)

    def __deepcopy__(self, memo):
        return self  # an answer is to change its grad

    def nodes(self):
        """Return all numbers that it is made of, and itself, parents first."""
        found = {}
        stack = [self]
        while stack:
            node = stack[-1]
            missing = [p for p in node.parents if id(p) not in found]
            stack += missing
            if not missing:
                found[id(stack.pop())] = node
        return [*found.values()]

    def plain(self):
        """Return a list of (number, parents, slopes, grad), parents as places in it."""
        nodes = self.nodes()
        place = {id(node): i for i, node in enumerate(nodes)}
        return [
            [n.number, [place[id(p)] for p in n.parents], list(n.slopes), n.grad]
            for n in nodes
        ]

    @classmethod
    def of(cls, plain):
        """Return the last node of a list as ``plain`` makes it."""
        nodes = []
        for number, parents, slopes, grad in plain:
            nodes.append(cls(number, [nodes[i] for i in parents], slopes, grad))
        return nodes[-1]

    def follow(self, other):
        """Take over the gradients of a copy."""
        for mine, now in zip(self.nodes(), other.nodes()):
            mine.grad = now.grad


class Waves:
    """The function f(x) = Σⱼ sin(aⱼ · x) of a tensor, for the rows aⱼ of a matrix.

    Where x has several axes, the sum goes over the columns of A x, too.

    >>> Waves([[1.0, 2.0]])(torch.tensor([0.5, -0.25])).item()
    0.0
    """

    def __init__(self, rows):
        self.rows = np.asarray(rows, dtype=np.float64)

    def __deepcopy__(self, memo):
        return self

    def __call__(self, x):
        rows = torch.tensor(self.rows, dtype=x.dtype)
        return (rows @ x.reshape(len(x), -1)).sin().sum()

    def plain(self):
        """Return the rows as lists."""
        return self.rows.tolist()

    of = classmethod(lambda cls, plain: cls(plain))

    def follow(self, other):
        """There is nothing that an answer can change."""


KINDS = {kind.__name__: kind for kind in (Node, Waves)}
