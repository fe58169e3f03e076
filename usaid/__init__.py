"""U-SAID reproducibility suite: images, noise, data sets, denoisers, training, scores and tables."""

__version__ = "0.1.0"
