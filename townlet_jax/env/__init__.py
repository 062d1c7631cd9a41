"""Many towns at once, and what drives them."""
