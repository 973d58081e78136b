"""The page that shows a teacher where the class is: ``make room``.

``lines`` reads what the checks wrote (``labchecks.room``), and takes nothing that the
labs don't know; ``tally`` counts it; ``page`` shows it, on this machine alone.
"""
