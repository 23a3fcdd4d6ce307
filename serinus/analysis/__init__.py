"""Verdicts on measurements, and the providers that measure.

A pass over one AnalysisRun, whoever asked for it (assessment.py):

    resolve(spec, secrets) ─► tasks(run, resolved, now, due, woken) ─► measure(run, tasks, reach) ─► assess(run, …)
        resolved.py                    schedule.py                  providers/measuring.py       assessment.py

All but `measure` is pure. Before it there is what makes a run: templates.py (references to a spec), arguments.py,
validation.py, creation.py (name, labels, whether one that is there will do). `conditions/` is the language.
"""
