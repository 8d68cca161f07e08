"""Everything the product needs on one machine, in place of the hosted services. Nothing here ships."""
