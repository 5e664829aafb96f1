"""Mobility as a service: offers, orders, fares, tickets, taps, on-demand rides, sharing, demand."""
