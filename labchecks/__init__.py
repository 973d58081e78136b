"""Answers back to the student: one check for each exercise, one module for each lab.

A notebook says ``from labchecks import lab04 as checks`` and, under an exercise,
``checks.best_encoder(best_encoder)``. A check tries the answer on small problems of its
own and returns a Check: true in ``if``, and shown as one line where the answer is
right. Where it is wrong, the lines say what was seen, what was expected, the likely
cause and where to look. It raises nothing.

Every check takes, besides the answer and what it is judged by, ``seed``, an int for
other problems, and ``seconds``, the time limit. Messages do not differ between runs.

From the ground up: ``errors`` is the phrase book of what torch says, ``given`` what a
check hands over besides numbers, ``student`` calls the answer safely, ``readers`` read
what comes back, ``verdicts`` show and record, ``cases`` compare and name the slip,
``follow`` does so for a loop, step by step, ``predictions`` hold what was asked before,
``hunts`` hand out functions with a bug, ``room`` tells a teacher's folder where the
class is, if the teacher has named one.
``cells`` puts errors into words, in each notebook that imports a lab's checks.
A lab's file states its exercises, and no more.
"""
