"""Claims of eligibility: recorded by a clerk, or by an authority's signed credential."""
