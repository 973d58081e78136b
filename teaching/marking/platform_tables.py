"""The tables of learning platforms: Moodle's grading worksheet, Canvas' gradebook.

They are filled in where they are: every other byte stays as the platform wrote it.
"""

import csv
import io
import re
from typing import NamedTuple

# Without the column of comments: an empty one would empty those that are in Moodle.
MOODLE = [
    "Identifier",
    "Full name",
    "Email address",
    "Status",
    "Grade",
    "Maximum grade",
    "Grade can be changed",
    "Last modified (submission)",
    "Last modified (grade)",
]
CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
POINTS_POSSIBLE = "    Points Possible"  # as Canvas writes it
PARTICIPANT = re.compile(r"\D*?(\d+)")  # "Participant 17", in any language
COLUMN = re.compile(r"(?P<title>.*)\((?P<number>\d+)\)\s*", re.S)


class Table(NamedTuple):
    """A platform's table.

    ``platform`` is "moodle" or "canvas"; ``rows`` has a list of (value, start, end) for
    each row, with the place of a value in ``data``.
    """

    platform: str
    data: bytes
    rows: list

    @property
    def names(self):
        """The names of the columns."""
        return [value for value, _, _ in self.rows[0]]

    @property
    def separator(self):
        """What stands between the columns."""
        end = self.rows[0][0][2]
        return self.data[end : end + 1].decode()

    @property
    def columns(self):
        """{index: name} of the columns that can take points."""
        if self.platform == "moodle":
            return {_index(self, "Grade"): "Grade"}
        section = _index(self, "Section")
        return {
            index: name
            for index, name in enumerate(self.names)
            if index > section and COLUMN.fullmatch(name)
            if self.out_of(index) is not None  # what Canvas works out is "(read only)"
        }

    @property
    def students(self):
        """{number: [rows]}; a row is the index of one in ``rows``."""
        at = _index(self, "Identifier" if self.platform == "moodle" else "ID")
        found = {}
        for row, values in enumerate(self.rows[1:], start=1):
            number = PARTICIPANT.fullmatch(values[at][0]) if len(values) > at else None
            if number:
                found.setdefault(number[1], []).append(row)
        return found

    def out_of(self, column, row=None):
        """Return what the platform takes for all points, or None if it doesn't say."""
        if self.platform == "moodle":
            return _number(self.value(row, _index(self, "Maximum grade")))
        heads = [row for row in (1, 2) if "Points Possible" in self.value(row, 0)]
        return _number(self.value(heads[0], column)) if heads else None

    def value(self, row, column):
        """Return what stands in a row and column, a str."""
        values = self.rows[row] if row < len(self.rows) else []
        return values[column][0] if column is not None and column < len(values) else ""

    def scaled(self, rows, column, part):
        """Return what to write for a student with a part of all points, and "".

        Or else "", and why nothing is written; ``rows`` are the student's.
        """
        out_of, now = self.out_of(column, rows[0]), self.value(rows[0], column)
        if len(rows) > 1:
            return "", f"is in {len(rows)} rows, so nothing was filled in"
        if column >= len(self.rows[rows[0]]):
            return "", "is in a row that was cut off, so nothing was filled in"
        if now.strip().upper() in ("EX", "N/A"):
            return "", f"is {now.strip()} there, which was left"
        if not out_of:
            return "", "has no maximum grade there, so nothing was filled in"
        return f"{part * out_of:.2f}", ""


def read(data):
    """Return the Table in the bytes of a file, or None if it is none of a platform."""
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    head = data[start : start + 4000]
    for separator in ",;\t":
        if len(_rows(head, separator, 0)[0]) > 3:
            rows = _rows(data, separator, start)
            names = [value for value, _, _ in rows[0]]
            if _has(names, ["Identifier", "Grade", "Last modified (grade)"]):
                return Table("moodle", data, rows)
            if _has(names, ["ID", "SIS Login ID", "Section"]):
                return Table("canvas", data, rows)
    return None


def filled(table, column, points):
    """Return the bytes of a table with points in one column, and all else as it was.

    Parameters
    ----------
    table : Table
    column : int
    points : dict of int to str
        By row.
    """
    data = table.data
    for row in sorted(points, reverse=True):
        _, start, end = table.rows[row][column]
        quoted = data[start : start + 1] == b'"'
        text = f'"{points[row]}"' if quoted else points[row]
        data = data[:start] + text.encode() + data[end:]
    return data


def moodle(students, points, most):
    """Return a grading worksheet of Moodle as bytes, made from {number: name}.

    Parameters
    ----------
    students : dict of str to str
    points : dict of str to str
    most : float
        All points there are.
    """
    rows = [
        dict.fromkeys(MOODLE, "")
        | {"Identifier": f"Participant {number}", "Full name": text(name)}
        | {"Grade": points[number], "Maximum grade": f"{most:.2f}"}
        | {"Grade can be changed": "Yes"}
        | {"Last modified (submission)": "-", "Last modified (grade)": "-"}
        for number, name in students.items()
    ]
    return table_of(MOODLE, rows)


def canvas(students, points, most, *, column):
    """Return a gradebook of Canvas as bytes; see ``moodle``."""
    names = [*CANVAS, column]
    rows = [{"Student": POINTS_POSSIBLE, column: f"{most:g}"}]
    # Canvas looks a name up where it doesn't find the number, so it gets none it knows.
    rows += [
        {"Student": text(f"{name}_{number}"), "ID": number, column: points[number]}
        for number, name in students.items()
    ]
    return table_of(names, rows)


def table_of(names, rows, *, mark=False):
    """Return a CSV as bytes; ``mark``: with a byte order mark, as Excel needs it."""
    stream = io.StringIO(newline="")
    table = csv.DictWriter(stream, names, restval="")
    table.writeheader()
    table.writerows(rows)
    return stream.getvalue().encode("utf-8-sig" if mark else "utf-8", "replace")


def text(value):
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.lstrip(" ")[:1] in set("=+-@\t\r\n") else value


def _rows(data, separator, start):
    """Return a list of (value, start, end) for each row; like csv, but with places."""
    sep = re.escape(separator).encode()
    field = re.compile(
        rb'(?P<value>"(?:[^"]|"")*"|[^'
        + sep
        + rb"\r\n]*)(?P<end>"
        + sep
        + rb"|\r\n?|\n|\Z)"
    )
    rows, row = [], []
    while start < len(data) or row:
        found = field.match(data, start)
        if not found:
            return [*rows, row]  # a stray quotation mark: no table of a platform
        value = found["value"].decode("utf-8", "replace")
        if value.startswith('"'):
            value = value[1:-1].replace('""', '"')
        row.append((value, *found.span("value")))
        start = found.end()
        if found["end"] != separator.encode():
            rows.append(row)
            row = []
    return rows or [[]]


def _has(names, wanted):
    return {each.lower() for each in wanted} <= {name.strip().lower() for name in names}


def _index(table, name):
    names = [each.strip().lower() for each in table.names]
    return names.index(name.lower()) if name.lower() in names else None


def _number(value):
    """Return a number as a platform writes it, "10.00" or "10,00", or None."""
    try:
        return float(value.strip().replace(",", "."))
    except ValueError:
        return None
