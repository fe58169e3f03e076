"""The judges: image quality, segmentation, classification and detection, and the networks that judge."""
