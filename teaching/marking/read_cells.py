"""Read a cell: which names does it use, which does it give a value to, and when?"""

import ast
import functools
import re
import symtable
from typing import NamedTuple

from IPython.core.inputtransformer2 import TransformerManager

from teaching.marking.watched_values import RANDOM

# What students may import without a doubt: it changes nothing behind names.
SAFE = {"numpy", "torch", "pandas", "scipy", "sklearn", "matplotlib", "math", "cmath"}
SAFE |= {"functools", "itertools", "collections", "operator", "statistics", "string"}
SAFE |= {"time", "timeit", "typing", "dataclasses", "random", "copy", "tqdm", "re"}
SAFE |= {"labhelpers", "labchecks", "fractions", "decimal", "numbers", "enum"}
# Modules within them, and classes whose attributes are functions.
WITHIN = {"linalg", "nn", "functional", "autograd", "random", "special", "optim", "fft"}
WITHIN |= {"utils", "pyplot"}
KINDS = {"Tensor", "Generator", "DataFrame", "Series", "finfo", "iinfo"}
# Global settings, files, and what reaches names without naming them.
GLOBAL = {"seed", "manual_seed", "seterr", "seterrcall", "backends", "hub", "random_"}
GLOBAL |= {"rcParams", "options", "save", "load", "savez", "memmap", "fromfile"}
GLOBAL |= {"loadtxt", "savetxt", "enable_grad", "inference_mode", "grad_mode"}
HIDDEN = {"exec", "eval", "compile", "globals", "locals", "vars", "open", "setattr"}
HIDDEN |= {"delattr", "getattr", "input", "breakpoint", "exit", "quit", "In", "Out"}
HIDDEN |= {"get_ipython"}
SHELL_NAMES = re.compile(r"_+|_(i+|\d+|i\d+|[iod]h|exit_code)|__\w+__")
CHANGED = {"grad", "requires_grad"}  # attributes that students may set
# What draws global random numbers, unless it is given a generator.
DRAWS = {"rand", "randn", "randint", "randperm", "normal", "uniform", "random"}
DRAWS |= {"rand_like", "randn_like", "randint_like", "bernoulli", "multinomial"}
DRAWS |= {"shuffle", "choice", "choices", "sample", "permutation", "permuted"}
DRAWS |= {"standard_normal", "dropout", "gauss", "poisson", "binomial", "exponential"}


class Doubt(Exception):
    """Names don't tell what this code does."""


class Statement(NamedTuple):
    reads: frozenset  # at once
    later: frozenset  # when a function that it defines is called
    binds: frozenset
    end: int  # its last line
    kind: str  # "import", "function", "plain" (it surely gives values) or "other"
    has_code: bool  # it defines functions or classes
    origins: frozenset  # of an import: what stands for what


def plain(source):
    """Return a cell's text as Python, whatever IPython adds to it."""
    return TransformerManager().transform_cell(source)


@functools.lru_cache(4096)
def statements_of(source):
    """Return the statements of a cell, a list; of one that isn't Python, none."""
    try:
        nodes = ast.parse(plain(source)).body
    except (SyntaxError, ValueError):
        return []
    found = []
    for node in nodes:
        s = _statement(node)
        if found and node.lineno <= found[-1].end:  # a cell is never cut in a line
            before = found.pop()
            both = (a | b for a, b in zip(before[:3], s[:3]))
            has_code = before.has_code or s.has_code
            s = Statement(*both, s.end, "other", has_code, frozenset())
        found.append(s)
    return found


def _statement(node):
    _, later, binds = _names(node)
    reads, _ = _exposed(node, frozenset())
    kind, origins = "other", frozenset()
    if isinstance(node, ast.Import | ast.ImportFrom):
        kind, origins = "import", _origins(node)
    elif isinstance(node, ast.FunctionDef) and not node.decorator_list:
        defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        is_bare = all(isinstance(each, ast.Constant) for each in defaults)
        kind = "function" if is_bare else "plain"
    elif isinstance(node, ast.Assign | ast.FunctionDef | ast.ClassDef):
        kind = "plain"
    code = ast.FunctionDef | ast.ClassDef | ast.Lambda
    has_code = any(isinstance(each, code) for each in ast.walk(node))
    return Statement(reads, later, binds, node.end_lineno, kind, has_code, origins)


def _origins(node):
    start = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    return frozenset((a.asname or a.name, start + a.name) for a in node.names)


def _exposed(node, bound):
    """Return the names read before the node gives them a value, and those it gives."""
    reads, after = set(), bound

    def follow(nodes, bound):
        for each in nodes:
            found, bound = _exposed(each, bound)
            reads.update(found)
        return bound

    def read(expression):
        reads.update(_names(expression)[0] - bound)

    match node:
        case ast.For():
            read(node.iter)
            inside = ast.Assign([node.target], ast.Constant(0), lineno=0)
            follow([inside, *node.body], bound)
            follow(node.orelse, bound)
        case ast.While() | ast.If():
            read(node.test)
            follow(node.body, bound)
            follow(node.orelse, bound)
        case ast.Try():
            follow(node.body, bound)
            for handler in node.handlers:
                if handler.type:
                    read(handler.type)
                follow(handler.body, bound | {handler.name})
            follow(node.orelse, bound)
            follow(node.finalbody, bound)
        case ast.With():
            read(ast.With(node.items, [ast.Pass()], lineno=0))
            given = _names(ast.With(node.items, [ast.Pass()], lineno=0))[2]
            follow(node.body, bound | given)
        case _:
            read(node)
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                reads.update({node.target.id} - bound)
            if isinstance(node, ast.Match | ast.TryStar):
                reads.update(_names(node)[2])
            sure = ast.Assign | ast.FunctionDef | ast.ClassDef
            if isinstance(node, sure | ast.Import | ast.ImportFrom):
                after = bound | _names(node)[2]
    return frozenset(reads), frozenset(after)


def _names(node):
    """Return the global names that code reads at once, later, and gives values to."""
    top = symtable.symtable(ast.unparse(node), "cell", "exec")
    reads = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
    binds = {
        s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()
    }
    later = set()
    for table in top.get_children():
        now, then = _within(table)
        reads, later = reads | now, later | then
    draws = {RANDOM} if _words(node) & DRAWS else set()
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        later |= draws
    else:
        reads |= draws
    return frozenset(reads), frozenset(later), frozenset(binds)


def _within(table):
    """Return the global names that a scope and those within it read: now, and later."""
    names = {
        s.get_name()
        for s in table.get_symbols()
        if s.is_global() and (s.is_referenced() or s.is_assigned())
    }
    is_now = table.get_type() == "class" or table.get_name().endswith("comp")
    now, later = (names, set()) if is_now else (set(), names)
    for inner in table.get_children():
        first, second = _within(inner)
        now, later = (now | first if is_now else now), later | second
        later = later if is_now else later | first
    return now, later


def _path(node):
    """Return the parts of a dotted name, ``["np", "linalg", "svd"]``."""
    if isinstance(node, ast.Attribute):
        return [*_path(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else [""]


def _words(node):
    words = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return words | {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def look_for_doubt(source, modules):
    """Raise Doubt if names don't tell what a student's cell does."""
    try:
        tree = ast.parse(plain(source))
    except (SyntaxError, ValueError):
        return
    bases = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }
    modules = modules & {n for s in statements_of(source) for n in s.reads | s.later}
    for node in ast.walk(tree):
        if _is_doubtful(node, modules, is_base=id(node) in bases):
            raise Doubt


def _is_doubtful(node, modules, *, is_base):
    match node:
        case ast.Import():
            return any(a.name.split(".")[0] not in SAFE for a in node.names)
        case ast.ImportFrom():
            names = {a.name for a in node.names}
            top = (node.module or "").split(".")[0]
            hidden = names & ({"*"} | GLOBAL | WITHIN)
            return bool(node.level or top not in SAFE or hidden) or any(
                name.startswith(("_", "set_")) for name in names
            )
        case ast.Global() | ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor():
            return True
        case ast.FunctionDef(name="__del__"):
            return True
        case ast.Name(id=name):
            is_read = isinstance(node.ctx, ast.Load)
            hidden = name in HIDDEN or (is_read and SHELL_NAMES.fullmatch(name))
            return bool(hidden) or (is_read and name in modules and not is_base)
        case ast.Attribute(attr=name):
            own = isinstance(node.value, ast.Name) and node.value.id == "self"
            is_set = not isinstance(node.ctx, ast.Load)
            if name.startswith("_") or (is_set and name not in CHANGED and not own):
                return True
            path = _path(node)
            if path[0] not in modules:
                return False
            outer = path[1:-1]
            return (
                is_set
                or bool({*path} & GLOBAL)
                or any(part.startswith("set_") for part in path)
                or (name in WITHIN and not is_base)
                or not set(outer[:1]) <= WITHIN | KINDS
            )
    return False


def read_names(source):
    """Return the names that a cell reads, at once or later."""
    return {name for s in statements_of(source) for name in s.reads | s.later}
