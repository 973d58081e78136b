"""The page that shows a teacher where the class is: ``make room``.

``lines`` reads what the checks wrote (``labchecks.room``), and takes nothing that the
labs don't know; ``tally`` counts it; ``words`` finds the words of a hint by its key;
``page`` shows it all, on this machine alone.
"""
