"""Train the classifier that judges CIFAR-100 on the clean training images."""
