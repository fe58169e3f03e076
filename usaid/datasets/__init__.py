"""The data sets: a file each holds reader and card; ``base`` says what a reader offers, ``loading`` opens one by name.

``status`` says what is on disk; ``fetch`` brings what is not, from where ``sources/`` says (``mirrors``, ``archives``).
``miniature/`` draws generated versions.
"""
