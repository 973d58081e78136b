"""What a lab and a room must keep to. Each rule returns its complaints, a list of str.

A complaint says where, what is wrong and what to do.
"""

import ast
import re
import statistics
import symtable
import sys
import tempfile
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from tools.render import FOLDED, KERNEL, kept_metadata

ROOT = Path(__file__).resolve().parents[2]

# Cells whose outputs are not compared: {(file name, cell id): reason}.
EXCUSED = {
    ("04_ab_autoencoder.ipynb", "report-digits"): (
        "float32 losses to 7 digits, the last of which differ between processors"
    ),
    ("05_cifar10_autoencoder.ipynb", "speed"): "images per second",
}
MOST_EXCUSED = 3

CODE_CELLS = range(15, 31)
MEDIAN_LINES = (2, 5)
MOST_LINES = 20
WORDS = range(1200, 2601)
TAGS = "raises-exception|nbval-ignore-output|overleaf|lines-[1-9][0-9]?"
# What a paper or a book is found by: in the last place, but for a remark after a colon.
# A link shows its address, for those who read on paper.
FOUND_BY = re.compile(
    r", (?:doi:10\.\d{4,9}/[^\s,;]*[^\s,;.:]"
    r"|arXiv:(?:0[7-9]|1[0-4])(?:0[1-9]|1[0-2])\.\d{4}"
    r"|arXiv:(?:1[5-9]|[2-9]\d)(?:0[1-9]|1[0-2])\.\d{5}"
    r"|\[(?P<shown>[^]\s]+)\]\(https://(?:www\.)?(?P=shown)/?\))(?:: .+)?\.$"
)
MAGICS = {("matplotlib", "inline"), ("xmode", "Minimal")}

# What may be imported where, the standard library aside: {package: {room: names}}. A
# room is a file or a folder of the package; "*" stands for all that are not named.
ARROWS = {
    "labhelpers": {
        "__init__": set(),
        "_bar": {"tqdm"},
        "_require": {"numpy"},
        "_names": {"numpy", "matplotlib"},
        "linalg": {"numpy", "scipy", "labhelpers._require"},
        "descent": {"torch", "labhelpers._bar", "labhelpers._require"},
        "training": {"torch", "labhelpers._require", "labhelpers.descent"},
        "minibatch": {"torch", "labhelpers._bar", "labhelpers._require"}
        | {"labhelpers.descent"}
        | {"labhelpers.data"},  # to scale pixels
        "data": {"numpy", "sklearn", "labhelpers._require"},
        "graph": {"torch", "labhelpers._require"},
        "plots": {"numpy", "matplotlib", "cycler", "IPython", "labhelpers._require"}
        | {"labhelpers._names"},
        "diagrams": {"numpy", "matplotlib", "labhelpers._require", "labhelpers.plots"},
        "live": {"numpy", "matplotlib", "IPython", "ipywidgets", "PIL"}
        | {"labhelpers._require", "labhelpers.plots"},
    },
    "labchecks": {
        "cells": {"IPython", "labchecks.errors"},
        "*": {"numpy", "pandas", "scipy", "torch", "labhelpers.linalg"}
        | {"labhelpers.training"},  # to make the slips that a lab's own runs lead to
    },
    "teaching": {
        "__init__": set(),
        "__main__": {"teaching"},
        "hunt": {"labchecks.hunts", "labchecks.predictions"}
        | {"teaching.labs", "teaching.lesson"},
        "labs": {"nbformat"},
        "lesson": {"labchecks.hunts"},
        "formulas": {"math_core", "nbconvert"},
        "execute_notebook": {"nbclient"},
        "handing_out": {"PIL", "bs4", "fontTools", "jinja2", "markupsafe", "math_core"}
        | {"nbconvert", "nbformat", "nbgrader", "numpy", "playwright", "pygments"}
        | {"pypdfium2"}
        | {"labchecks", "teaching.formulas", "teaching.hunt", "teaching.labs"}
        | {"teaching.lesson"},
        "site": {"bs4", "jinja2", "labhelpers", "markupsafe", "math_core", "pdoc"}
        | {"teaching.execute_notebook", "teaching.handing_out", "teaching.labs"},
        "room": {"jinja2", "labchecks", "teaching.labs"},
        "marking": {"IPython", "distributed", "ipykernel", "pandas"}
        | {"jinja2", "jupyter_client", "jupyter_core"}
        | {"labchecks", "markupsafe", "math_core", "nbclient"}
        | {"nbconvert", "nbformat", "nbgrader", "numpy", "torch", "traitlets"}
        | {"labhelpers", "zmq"}  # to see where it is; sockets with limits
        | {"teaching.formulas", "teaching.labs"}
        | {"teaching.handing_out.careful_writing"},  # what goes back is edited, too
    },
}
PACKAGES = tuple(ARROWS)
MOST_ROOM_LINES = 250
# Lines of code that rooms of the helpers may have together: what computes is read aloud
# in twenty minutes; what draws is furniture.
TOGETHER = {
    ("linalg", "descent", "training", "minibatch", "data", "graph"): 740,
    ("plots", "_names", "diagrams", "live"): 460,
}


# --- Rules over one notebook ---------------------------------------------------------


def executed(notebook):
    """Every code cell was run, once, from top to bottom."""
    counts = [cell.execution_count for cell in _code(notebook)]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [f"the execution counts are {counts}, not 1, 2, 3, …: run make render"]


def no_errors(notebook):
    """No cell ends in an error that isn't meant."""
    return [
        f"{cell.id}: {output.ename} in its output: mend the cell and run make render, "
        "or tag it raises-exception if the error is the lesson"
        for cell, output in _outputs(notebook)
        if output.output_type == "error" and "raises-exception" not in _tags(cell)
    ]


def no_stderr(notebook):
    """Nothing is written to stderr: warnings and bars differ from run to run."""
    return [
        f"{cell.id}: writes to stderr: print to stdout, or cure what is warned of"
        for cell, output in _outputs(notebook)
        if output.get("name") == "stderr"
    ]


def no_semicolon(notebook):
    """No cell hides its last value by a semicolon, which nbval doesn't understand."""
    return [
        f"{cell.id}: ends in a semicolon: give the last value a name instead"
        for cell in _code(notebook)
        if cell.source.rstrip().endswith(";")
    ]


def no_vector_graphics(notebook):
    """Figures are PNG: nbval compares SVG letter by letter."""
    return [
        f"{cell.id}: has {kind} output: leave the figure format at PNG"
        for cell, output in _outputs(notebook)
        for kind in ("image/svg+xml", "application/pdf")
        if kind in output.get("data", {})
    ]


def figures(notebook):
    """A figure has a text in its place, and its numbers are printed."""
    complaints = []
    code = _code(notebook)
    for cell, after in zip(code, [*code[1:], None]):
        images = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        for image in images:
            if not image.metadata.get("image/png", {}).get("alt", "").strip():
                complaints.append(
                    f"{cell.id}: figure without alt text: use plots.show(ax, alt=…)"
                )
        if images and not (_has_text(cell) or (after and _has_text(after))):
            complaints.append(
                f"{cell.id}: figure without numbers: print what it shows in this cell "
                "or the next, so that nbval can hold it"
            )
    return complaints


def ids(notebook):
    """Cell ids are given by hand; a random one changes with each copy."""
    return [
        f"{cell.id}: not a telling id: name the cell, as in check-residuals"
        for cell in notebook.cells
        if not re.fullmatch(r"[a-z][a-z0-9-]+", cell.id)
        or re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", cell.id)
    ]


def size(notebook):
    """A lab can be read in a quarter of an hour."""
    code, text = _code(notebook), _text(notebook)
    lines = {cell.id: _line_count(cell) for cell in code}
    words = sum(len(cell.source.split()) for cell in text)
    low, high = MEDIAN_LINES
    complaints = []
    if len(code) not in CODE_CELLS:
        complaints.append(
            f"{len(code)} code cells: keep to {CODE_CELLS[0]} to {CODE_CELLS[-1]}"
        )
    median = statistics.median([*lines.values()] or [0])
    if not low <= median <= high:
        complaints.append(
            f"median of {median} lines a code cell: keep to {low} to {high}"
        )
    for cell_id, count in lines.items():
        if count > MOST_LINES:
            complaints.append(f"{cell_id}: {count} lines: {MOST_LINES} at most, split")
    if len(text) < len(code):
        complaints.append(
            f"{len(text)} text cells for {len(code)} code cells: explain more, or merge"
        )
    if words not in WORDS:
        complaints.append(f"{words} words: keep to {WORDS[0]} to {WORDS[-1]}")
    return complaints


def code(notebook):
    """Code that works on every machine, and can be copied without shame."""
    complaints = []
    for cell in _code(notebook):
        tree = ast.parse(TransformerManager().transform_cell(cell.source))
        for node in ast.walk(tree):
            complaints += [f"{cell.id}: {words}" for words in _misuse(node)]
    return complaints


def metadata(notebook):
    """Nothing that belongs to one machine or one moment is stored."""
    complaints = []
    wanted = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    if notebook.metadata != wanted:
        complaints.append("notebook metadata of one machine: run make render")
    for cell in notebook.cells:
        if cell.metadata != kept_metadata(cell):
            names = sorted(set(cell.metadata) - set(kept_metadata(cell))) or "jupyter"
            complaints.append(f"{cell.id}: metadata {names}: run make render")
    for cell, output in _outputs(notebook):
        if any("widget" in kind for kind in output.get("data", {})):
            complaints.append(f"{cell.id}: stores a widget: run make render")
    return complaints


def paths(notebook):
    """No folder of the machine on which the outputs were stored is shown."""
    places = [Path.home(), tempfile.gettempdir(), ROOT, "/home", "/Users", "~"]
    marks = [f"{place}/" for place in places if str(place) != "/"] + ["C:\\"]
    return [
        f"{cell.id}: shows a path of this machine: print less, or shorten the "
        "traceback by %xmode Minimal"
        for cell, output in _outputs(notebook)
        if any(mark in _shown(output) for mark in marks)
    ]


def solutions(notebook):
    """Student copies can be cut: regions are closed, marked by nbgrader, and named."""
    complaints, seen = [], set()
    for cell in notebook.cells:
        marks = re.findall(r"### (BEGIN|END) SOLUTION", cell.source)
        grader = cell.metadata.get("nbgrader", {})
        if marks != ["BEGIN", "END"] * (len(marks) // 2):
            complaints.append(f"{cell.id}: BEGIN and END SOLUTION do not match")
        if bool(marks) != bool(grader.get("solution")):
            complaints.append(
                f"{cell.id}: ### BEGIN SOLUTION … ### END SOLUTION and the nbgrader "
                'metadata "solution": true go together: add what is missing'
            )
        if grader and grader.get("grade_id") in {None, *seen}:
            complaints.append(
                f"{cell.id}: grade_id {grader.get('grade_id')}: give it one of its own"
            )
        seen.add(grader.get("grade_id"))
    return complaints


def compared(notebook):
    """Only a tag excuses a cell from comparison, and ``excused`` counts the tags."""
    complaints = []
    for cell in notebook.cells:
        if re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)_", cell.source):
            complaints.append(f"{cell.id}: a comment steers nbval: use a tag")
        for tag in _tags(cell):
            if not re.fullmatch(TAGS, tag):
                complaints.append(f"{cell.id}: tag {tag}: leave it out")
    return complaints


def folded(notebook):
    """A cell whose output holds a figure is folded: its code gives the figure away."""
    drawing = {
        cell.id: cell
        for cell, output in _outputs(notebook)
        if "image/png" in output.get("data", {})
    }
    return [
        f"{cell_id}: draws, and isn't folded: give it the metadata "
        '"jupyter": {"source_hidden": true}, and keep in it what draws alone'
        for cell_id, cell in drawing.items()
        if cell.metadata.get("jupyter") != FOLDED
    ]


def predictions(notebook):
    """What is predicted has one outcome, later; what has one was predicted."""
    calls = {"prediction": {}, "outcome": {}}
    for i, cell in enumerate(_code(notebook)):
        for call, name in re.findall(
            r"\bchecks\.(prediction|outcome)\(\s*[\"']([^\"']*)", cell.source
        ):
            calls[call].setdefault(name, []).append(i)
    complaints = []
    for name in calls["prediction"] | calls["outcome"]:
        asked, told = (calls[call].get(name, []) for call in calls)
        if len(asked) != 1 or len(told) != 1 or told[0] <= asked[0]:
            complaints.append(
                f"{name}: {len(asked)} predictions and {len(told)} outcomes: call "
                "checks.prediction once, and checks.outcome once in a later cell"
            )
    return complaints


def sliders(notebook):
    """What a slider draws with means the same when it is moved, after all cells ran."""
    complaints, code = [], _code(notebook)
    for i, cell in enumerate(code):
        if "live.scrub(" not in cell.source:
            continue
        made = [_made(later.source) for later in code[i + 1 :]]
        table = symtable.symtable(cell.source, cell.id, "exec")
        used = {name for inner in table.get_children() for name in _globals(inner)}
        for name in sorted(used & set().union(*made)):
            complaints.append(
                f"{cell.id}: draws with {name}, which a later cell makes anew: give "
                "one of the two another name"
            )
    return complaints


def references(notebook):
    """What is named for further reading can be found, by its DOI, arXiv id or link."""
    return [
        f"{cell.id}: {entry[:40]} …: end it with , doi:10.…/… or , arXiv:1602.04915 or "
        "[example.org](https://example.org), and a full stop, or a colon and a remark"
        for cell in _text(notebook)
        for entry in re.findall(
            r"^- .+$", cell.source.partition("**Go further**")[2], re.M
        )
        if not FOUND_BY.search(entry)
    ]


RULES = (
    executed,
    no_errors,
    no_stderr,
    no_semicolon,
    no_vector_graphics,
    figures,
    ids,
    size,
    code,
    metadata,
    paths,
    solutions,
    compared,
    folded,
    predictions,
    sliders,
    references,
)


# --- Rules over the whole pack -------------------------------------------------------


def excused(notebooks, excuses):
    """At most two cells are not compared, each for a reason that is written down.

    ``notebooks`` is {file name: notebook}.
    """
    tagged = {
        (name, cell.id)
        for name, notebook in notebooks.items()
        for cell in notebook.cells
        if "nbval-ignore-output" in _tags(cell)
    }
    complaints = [
        f"{name}, {cell_id}: not compared, without a reason: write one into EXCUSED"
        for name, cell_id in sorted(tagged)
        if not excuses.get((name, cell_id), "").strip()
    ]
    complaints += [
        f"{name}, {cell_id}: excused, but not tagged so: take it out of EXCUSED"
        for name, cell_id in sorted(set(excuses) - tagged)
    ]
    if len(tagged) > MOST_EXCUSED:
        complaints.append(
            f"{len(tagged)} cells are not compared: {MOST_EXCUSED} at most"
        )
    return complaints


def arrows(folder):
    """Each room imports only what ``ARROWS`` allows, and nobody's private names."""
    complaints, rooms = [], ARROWS[folder.name]
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        room = name.split("/")[0].removesuffix(".py")
        own = f"{folder.name}.{room}" if room in rooms or "/" in name else folder.name
        allowed = rooms.get(room, rooms.get("*"))
        if allowed is None:
            complaints.append(f"{name}: a new room: say in ARROWS what it imports")
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for each in sorted({e for node in ast.walk(tree) for e in _imports(node)}):
            if not any(f"{each}.".startswith(f"{a}.") for a in {own, *allowed}):
                complaints.append(f"{name}: imports {each}: not in this room")
        complaints += [f"{name}: {words}" for words in _private_names(tree)]
    return complaints


def room_sizes(folder):
    """The helpers can be read in one sitting: lines of code count, docstrings don't."""
    lines = {
        path.relative_to(folder).as_posix(): _code_line_count(path.read_text("utf-8"))
        for path in sorted(Path(folder).rglob("*.py"))
    }
    complaints = [
        f"{name}: {count} lines of code: split it, {MOST_ROOM_LINES} at most"
        for name, count in lines.items()
        if count > MOST_ROOM_LINES
    ]
    for rooms, most in TOGETHER.items():
        total = sum(lines.get(f"{room}.py", 0) for room in rooms)
        if total > most:
            complaints.append(
                f"{', '.join(rooms)}: {total} lines of code together: cut, {most} at "
                "most"
            )
    return complaints


# --- Reading -------------------------------------------------------------------------


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _text(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def _outputs(notebook):
    return [(cell, output) for cell in _code(notebook) for output in cell.outputs]


def _tags(cell):
    return cell.metadata.get("tags", [])


def _code_line_count(source):
    """Count the lines that are neither blank nor a comment nor part of a docstring."""
    texts = {
        number
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, node.end_lineno + 1)
    }
    return sum(
        1
        for number, line in enumerate(source.splitlines(), 1)
        if number not in texts and line.strip() and not line.lstrip().startswith("#")
    )


def _line_count(cell):
    return sum(1 for line in cell.source.splitlines() if line.strip())


def _globals(table):
    """Name what a function takes from the notebook, functions in it included."""
    yield from (s.get_name() for s in table.get_symbols() if s.is_global())
    for inner in table.get_children():
        yield from _globals(inner)


def _made(source):
    """Name what a cell makes known to the cells after it."""
    source = TransformerManager().transform_cell(source)
    table = symtable.symtable(source, "cell", "exec")
    known = (symtable.Symbol.is_assigned, symtable.Symbol.is_imported)
    return {s.get_name() for s in table.get_symbols() if any(is_(s) for is_ in known)}


def _has_text(cell):
    return any(
        output.get("name") == "stdout"
        or ("text/plain" in output.get("data", {}) and "image/png" not in output.data)
        for output in cell.outputs
    )


def _shown(output):
    """Everything in an output that can be read."""
    texts = [output.get("text", ""), output.get("evalue", "")]
    texts += output.get("traceback", [])
    texts += [str(v) for k, v in output.get("data", {}).items() if k != "image/png"]
    return "\n".join(texts)


def _imports(node):
    """Name what an import statement asks for, the standard library aside."""
    if isinstance(node, ast.ImportFrom) and node.level:
        names = ["." * node.level + (node.module or "")]
    elif isinstance(node, ast.ImportFrom) and node.module in PACKAGES:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module]
    elif isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = []
    ours = (*PACKAGES, ".")
    names = [n if n.startswith(ours) else n.split(".")[0] for n in names]
    return [name for name in names if name not in sys.stdlib_module_names]


def _private_names(tree):
    """Name what a module takes of another that isn't meant for it."""
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            ours = (node.module or "").split(".")[0] in PACKAGES
            for alias in node.names:
                if alias.name.startswith("_"):
                    yield f"imports {alias.name}, a private name of {node.module}"
                modules |= {alias.asname or alias.name} if ours else set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=attr) if (
                module in modules and re.match(r"_(?!_)", attr)
            ):
                yield f"uses {module}.{attr}, a private name"


def _misuse(node):
    """Name what a lab must not do, in one node of its code, and what to do instead."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name("get_ipython")))):
            arguments = [a.value for a in node.args if isinstance(a, ast.Constant)]
            if node.func.attr != "run_line_magic" or tuple(arguments) not in MAGICS:
                yield "a shell command or a magic: say it in Python"
        case ast.Attribute(value=ast.Name("sys"), attr="path"):
            yield "sys.path: labhelpers is installed, import it"
        case ast.Attribute(attr="manual_seed" | "seed") if _is_global_seed(node):
            yield "a global seed: pass a generator, or seed= to a helper"
        case ast.Attribute(attr="data"):
            yield ".data hides an update from autograd: update under torch.no_grad()"
        case ast.ImportFrom() | ast.Import():
            yield from _wrong_import(node)


def _is_global_seed(node):
    owner = ast.unparse(node.value)
    return owner in {"torch", "torch.random", "random", "np.random", "numpy.random"}


def _wrong_import(node):
    ours = [name for name in _imports(node) if name.startswith("labhelpers")]
    style = isinstance(node, ast.ImportFrom) and node.module == "labhelpers"
    rooms = ARROWS["labhelpers"]
    known = {f"labhelpers.{room}" for room in rooms if not room.startswith("_")}
    if ours and not (style and set(ours) <= known):
        yield "imports names: write from labhelpers import training, and training.…"
