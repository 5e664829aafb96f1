"""Plan journeys over the published network, and price them. Holds no truth of its own."""
