"""Verdicts on measurements, and the providers that measure.

A pass over one AnalysisRun, for any owner (run_status.py):

    resolve(spec, secrets) ─► tasks(run, resolved, now, due, woken) ─► measure(run, tasks, reach) ─► assess(run, …)
        resolution.py                  schedule.py                  providers/measuring.py       run_status.py

All but `measure` is pure. These modules create a run: templates.py (references to a spec), arguments.py, validation.py,
run_objects.py (name, labels, reuse of an existing run). `expr/` is the language.
"""
