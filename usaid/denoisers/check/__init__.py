"""What an author has to know of a denoiser, found out without data sets: what `usaid check` does.

``checks.py`` has the checks by name, from ``form.py`` (shapes, sizes, device), ``quality.py`` (does it remove noise?),
``behaviour.py`` (batches, determinism, what else it changes) and ``cost.py`` (time and memory). Each looks at a
``subject.py`` and gives a ``finding.py``. ``run.py`` runs them, in a process of their own (``apart.py``), so that a
crash or a hang of the denoiser is a finding too. The tests of the suite's own methods run the same checks.
"""
