"""Verdicts with a stated error bound, from counts of requests and errors. Pure.

    settings.py   the limits that a user writes, checked
    looks.py      the counts of one look, checked; the form in which a run stores them
    process.py    the evidence against one hypothesis: log sums over a grid of alternatives
    tally.py      the four processes of a metric, look by look, and the verdict
    dispersion.py the variance of errors compared with independent errors
    ratios.py     the ratios of error rates that the evidence does not exclude
    projection.py the time until steadily growing evidence reaches its limit
    shares.py     the check that requests split according to the weight (a wrong label gives no verdict)

A verdict is a function of the settings and the looks: `replay` of stored looks gives it again. Each process is a
mixture of likelihood ratios, a nonnegative supermartingale under its null hypothesis. By Ville's inequality it ever
reaches 1/α with probability at most α, for any number of looks (Howard, Ramdas, McAuliffe, Sekhon, Ann. Statist. 49,
2021).
"""
