"""Experiments: YAML files that say which denoisers meet which benchmarks, checked once and passed on whole.

``model.py`` (what all settings share), ``denoiser_entry.py`` and ``benchmark.py`` (entries), ``studies.py`` (Table II,
Figure 2), ``sight.py`` (images to be looked at), ``experiment.py`` (the whole), ``reading.py`` (files), ``messages.py``
(one-line errors), ``seeds.py`` (entries that only a seed tells apart), ``reference.py`` (JSON Schema and page of keys).
Recipes and judges' settings stand in the rooms of their methods and judges.
"""
