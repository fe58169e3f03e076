"""The network that makes a denoiser segmentation-aware: frozen ImageNet encoders, and the paper's USA module."""
