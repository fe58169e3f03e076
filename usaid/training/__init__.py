"""What all trainings share, so that each can be killed and continued.

``loop.py`` (the steps, and the files of a run), ``patches.py`` (squares cut out of images and label maps),
``losses.py``, ``tensorboard.py``. What is trained stands in its own room: a method's, a judge's, the USA module's.
"""
