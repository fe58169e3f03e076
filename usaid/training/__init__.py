"""Training that can be killed and continued: recipes, patches, losses, the step loop, and what is trained with them.

``recipes.yaml`` (how), ``recipe.py`` (read), ``patches.py`` (on what), ``losses.py`` (towards what), ``loop.py`` (the
steps), ``denoisers.py`` (CDnCNN-B, S-SAID and U-SAID), ``convergence.py`` (the paper's Figure 2).
"""
