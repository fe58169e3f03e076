"""Images that are kept to be looked at: which ones, by rule, and what denoisers and judges make of them."""
