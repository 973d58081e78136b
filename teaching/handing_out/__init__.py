"""The way of a worked lab to what a teacher hands out, one module a step.

1. ``student_copy``: the solutions are cut out of it.
2. ``students_zip``: the copies are packed, with all that they need to run; ``leaks``
   looks for solutions in there.
3. ``sheets``: it becomes pages of HTML, with ``fonts`` in them; ``pdf`` prints these,
   and ``cards`` to vote with.
4. ``careful_writing``: the files are written where people work, and no work is lost.

``handouts`` leads all labs along this way.
"""
