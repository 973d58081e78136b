"""Everything that a teacher hands out and takes in, built from ``notebooks/``.

The only room that a student never meets: it needs the extra ``[teach]``, and is not in
the students' zip. ``python -m teaching`` says what it can do.
"""
