"""All six data sets in miniature, drawn by code in their official layouts: what the demo and CI run on by default.

``writer`` writes them into a folder. A file each draws a data set (``voc2012``, ``kodak``, ``isic2018``, ``deepglobe``,
``cifar100``, ``coco``: ``draw(seed)`` gives its files); ``scenes`` paints what several of them show; ``encoding`` makes
files of it. Nothing here imports a reader: an edit of a reader draws nothing anew, and no reader is tried on its own
constants.
"""
