"""Networks: the only floor that imports Flax modules."""
