"""What a run costs before it starts: `usaid plan`, the line before a run, and the resources that its jobs ask for.

``kinds.py`` names the kinds of work; ``rates.py`` reads what a machine takes for a unit of each (``rates/*.yaml``);
``measure.py`` measures that by ``components.py`` and ``made_files.py``. ``networks.py`` has networks of a user's own
counted, by the process ``count.py``. ``extents.py`` says how many images there are, ``work.py`` how much work a job is,
``jobs.py`` which jobs a target has and what each waits for, ``simulate.py`` how long they take on some cores and GPUs.
``plan.py`` puts it together, ``pages.py`` shows it; ``line.py`` and ``resources.py`` are for the workflow. What
measures or counts imports torch; nothing else here does.
"""

from evaluators.plan.line import forecast_of

__all__ = ["forecast_of"]
