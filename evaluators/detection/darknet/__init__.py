"""Detectors in Darknet's format: network descriptions (``.cfg``, two of them here), layers and weights."""
