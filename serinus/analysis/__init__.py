"""Verdicts on measurements, and the providers that measure.

A pass over one AnalysisRun, for any owner (assessment.py):

    resolve(spec, secrets) ─► tasks(run, resolved, now, due, woken) ─► measure(run, tasks, reach) ─► assess(run, …)
        resolved.py                    schedule.py                  providers/measuring.py       assessment.py

All but `measure` is pure. These modules create a run: templates.py (references to a spec), arguments.py, validation.py,
creation.py (name, labels, reuse of an existing run). `conditions/` is the language.
"""
