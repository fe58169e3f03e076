"""Scores of single images in files, and the scores that only a whole data set has."""
