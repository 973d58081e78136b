"""The reference of ``labhelpers``, from its docstrings, by pdoc."""

import importlib
import pkgutil
import textwrap
from pathlib import Path

import pdoc.doc
import pdoc.render
from markupsafe import Markup

import labhelpers
from teaching.handing_out import html_of

TEMPLATES = Path(__file__).with_name("reference_templates")


def pages():
    """Return the inside of the pages, a dict of Markup by the name of the room."""
    rooms = [
        room.name
        for room in pkgutil.iter_modules(labhelpers.__path__)
        if not room.name.startswith("_")
    ]
    modules = {
        f"labhelpers.{room}": pdoc.doc.Module(
            importlib.import_module(f"labhelpers.{room}")
        )
        for room in rooms
    }
    pdoc.render.configure(docformat="numpy", search=False, template_directory=TEMPLATES)
    pdoc.render.env.globals["code"] = lambda source: html_of.code(
        textwrap.dedent(source)
    )
    return {
        room: Markup(pdoc.render.html_module(modules[f"labhelpers.{room}"], modules))
        for room in rooms
    }


def first_line(room):
    """Return what a room holds, in a line."""
    module = importlib.import_module(f"labhelpers.{room}")
    return module.__doc__.strip().partition("\n")[0]
