"""Price a journey: tariffs as dated data, one engine for planned and ridden journeys."""
