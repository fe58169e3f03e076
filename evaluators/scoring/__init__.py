"""The scoring of denoisers: what is made of images, noise, denoiser and judges until score files are written."""
