"""The page itself, and the server that shows it, to this machine alone."""

import os
import secrets
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import jinja2

from labchecks import words
from labchecks.room import VARIABLE
from teaching.room import lines, tally

HOST = "127.0.0.1"
REFRESH = 5  # seconds
POLICY = "default-src 'none'; style-src 'nonce-{}'; base-uri 'none'; form-action 'none'"
POLICY += "; frame-ancestors 'none'"
OTHER_HINT = "a hint that this copy of the pack does not have"


def folder(root):
    """Return the folder where the checks write, a Path; without one, make it in root.

    Raises
    ------
    ValueError
        If the environment names something else than a folder.
    """
    if not (named := os.environ.get(VARIABLE)):
        made = Path(root, ".room").resolve()
        made.mkdir(exist_ok=True)
        return made
    if not Path(named).is_dir():
        raise ValueError(f"{VARIABLE} must name a folder, got {named!r}")
    return Path(named).resolve()


def render(folder, known, *, lab=None, shown=(), hours=3, nonce=""):
    """Return the page on one lab, a str of HTML.

    Parameters
    ----------
    folder : path
        Where the checks write.
    known : dict of str to Lab
        What ``lines.labs`` returns.
    lab : str, optional
        The number of a lab; by default the one that most are at.
    shown : sequence of str
        The questions whose right answer is shown.
    hours : float
        What is older isn't counted.
    nonce : str
        For the page's style, as the header names it.
    """
    try:
        found = lines.read(folder, known, since=time.time() - 3600 * hours)
    except OSError:
        found = []
    told = sorted({line.lab for line in found})
    lab = lab if lab in known else tally.liveliest(found)
    shown = [name for name in shown if lab and name in known[lab].questions]
    here = tally.sessions(found, lab)

    def address(lab, shown=()):
        return "?" + urlencode([("lab", lab), *(("show", name) for name in shown)])

    votes = []
    for name, (title, question) in known[lab].questions.items() if lab else ():
        is_shown = name in shown
        others = [other for other in shown if other != name]
        link = address(lab, others if is_shown else [*others, name])
        count = tally.votes(here, name, question.options)
        votes.append((title, count, question.right if is_shown else None, link))
    return _template().render(
        lab=lab,
        title=known[lab].title if lab else "",
        others=[(other, address(other)) for other in told],
        sessions=len(here),
        hours=f"{hours:g}",
        refresh=REFRESH,
        exercises=[
            (number, name, stated, tally.standing(here, number))
            for number, (name, stated) in (known[lab].exercises if lab else {}).items()
        ],
        votes=votes,
        words=lambda key: words.by_key().get(key, OTHER_HINT),
        nonce=nonce,
    )


def server(folder, known, *, port=0, hours=3):
    """Return a server of the page on this machine, which only waits to be started.

    ``port`` 0 is any that is free; the others are as for ``render``.

    Raises
    ------
    ValueError
        If the port can't be had.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            url = urlsplit(self.path)
            host = self.headers.get("Host", "").rsplit(":", 1)[0]
            if url.path != "/" or host not in (HOST, "localhost"):
                self.send_error(404)
                return
            query, nonce = parse_qs(url.query), secrets.token_hex(8)
            page = render(
                folder,
                known,
                lab=query.get("lab", [None])[0],
                shown=query.get("show", ()),
                hours=hours,
                nonce=nonce,
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Content-Security-Policy", POLICY.format(nonce))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass

    try:
        return ThreadingHTTPServer((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        raise ValueError(f"port must be a free one, got {port}: {error}") from error


@cache
def _template():
    loader = jinja2.PackageLoader("teaching.room", "")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2")
