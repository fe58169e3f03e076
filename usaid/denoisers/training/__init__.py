"""What trains any blind denoising network: patches, noise of many levels, and the paper's three losses.

``recipe.py`` (the keys, and ``recipes.yaml``: the paper's and the released code's), ``batches.py``, ``losses.py``,
``segmentation_loss.py`` (the USA module at work), ``training.py`` (the training itself) and ``own.py`` (of a user's own
network). A method of ours that is trained so says the rest in its own room, as DnCNN does.
"""
