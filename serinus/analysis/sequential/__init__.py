"""Verdicts with a stated error bound: counts of requests and errors in, evidence and a verdict out. Pure.

    settings.py   the limits that a user writes, checked
    looks.py      the counts of one look, checked; the form in which a run stores them
    process.py    the evidence of one hypothesis: log sums over a grid of alternatives
    tally.py      the four processes of a metric, look by look, and the verdict
    dispersion.py how much more the errors vary than independent ones would
    ratios.py     which ratios of error rates the evidence leaves
    projection.py when evidence that grows steadily reaches its limit
    shares.py     whether the requests split as the weight says (a wrong label is no verdict)

A verdict is a function of the settings and the looks: `replay` of stored looks gives it again. Each process is a mixture of
likelihood ratios, a nonnegative supermartingale under its null hypothesis. By Ville's inequality it ever reaches 1/α with
probability at most α, however often one looks (Howard, Ramdas, McAuliffe, Sekhon, Ann. Statist. 49, 2021).
"""
