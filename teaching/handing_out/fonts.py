"""The fonts of the printed sheets, cut down to the characters of one sheet.

They come with packages that are installed anyway, so a sheet looks alike, and breaks
into the same pages, on every machine. All may be embedded in documents: STIX under the
SIL Open Font License, DejaVu under its own.
"""

import base64
import io
import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

# (family, weight, style): (package, file in it).
TTF = "mpl-data/fonts/ttf"
FACES = {
    ("Sheet Text", 400, "normal"): ("matplotlib", f"{TTF}/STIXGeneral.ttf"),
    ("Sheet Text", 400, "italic"): ("matplotlib", f"{TTF}/STIXGeneralItalic.ttf"),
    ("Sheet Text", 700, "normal"): ("matplotlib", f"{TTF}/STIXGeneralBol.ttf"),
    ("Sheet Text", 700, "italic"): ("matplotlib", f"{TTF}/STIXGeneralBolIta.ttf"),
    ("Sheet Code", 400, "normal"): ("matplotlib", f"{TTF}/DejaVuSansMono.ttf"),
    ("Sheet Code", 400, "italic"): ("matplotlib", f"{TTF}/DejaVuSansMono-Oblique.ttf"),
    ("Sheet Code", 700, "normal"): ("matplotlib", f"{TTF}/DejaVuSansMono-Bold.ttf"),
    ("Sheet Math", 400, "normal"): ("ziamath", "fonts/STIXTwoMath-Regular.ttf"),
}


def path(package, name):
    """Return where a font lies, without importing the package that it comes with."""
    return Path(find_spec(package).submodule_search_locations[0], name)


@cache
def covered(package, name):
    """Return the characters that a font has, a frozenset of int."""
    with TTFont(path(package, name), lazy=True) as font:
        return frozenset(font.getBestCmap())


@cache
def cut(package, name, characters):
    """Return a font with no more than ``characters``, as bytes in the format WOFF."""
    options = subset.Options(
        flavor="woff", layout_features=["*"], name_IDs=["*"], name_languages=["*"]
    )
    options.drop_tables += ["FFTM"]  # when fontforge was run: of no use to a reader
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters)
    file = io.BytesIO()
    with subset.load_font(path(package, name), options) as font:
        cutter.subset(font)
        subset.save_font(font, file, options)
    return file.getvalue()


def css(text):
    """Return the ``@font-face`` rules, with the fonts in them, for a page ``text``."""
    characters = frozenset(ord(c) for c in text if c.isprintable())
    rules = []
    for (family, weight, style), (package, name) in FACES.items():
        wanted = characters | _drawn(text) if "Math" in family else characters
        data = cut(package, name, wanted & covered(package, name))
        source = f"data:font/woff;base64,{base64.b64encode(data).decode()}"
        rules.append(
            f'@font-face {{ font-family: "{family}"; font-weight: {weight}; '
            f'font-style: {style}; src: url("{source}"); }}'
        )
    return "\n".join(rules)


def _drawn(text):
    """Return what a browser draws of itself: slanted letters, and the root sign."""
    slanted = [*range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C), ord("ℎ")]
    given = set(text)
    return {c for c in slanted if unicodedata.normalize("NFKC", chr(c)) in given} | {
        ord("√")
    }
