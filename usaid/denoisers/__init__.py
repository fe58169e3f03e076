"""The denoisers: a folder for each method, with its card in ``__init__.py``.

``denoiser.py`` (what denoises), and where it is trained ``recipe.py`` and ``training.py``; ``importing.py`` where
checkpoints of others are read. Beside them: ``base.py`` (what a denoiser is), ``code.py`` (imports what cards name),
``build.py`` (a denoiser ready to call), ``contract.py`` (what its output has to be), ``layouts.py`` (how
files hold a known network), ``weights.py`` (imported or trained), ``denoise_files.py`` and ``pictures.py``
(`usaid denoise`).
"""
