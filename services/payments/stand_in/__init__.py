"""A test double of the payment provider: a process of its own that speaks enough of Stripe's HTTP API.

Problem   Money must be tested against a provider that remembers, refuses, repeats itself and breaks down,
          on a machine without an account, a key or a network.
Idea      The real `stripe` SDK talks to this server over loopback. State is a SQLite file written in the
          transaction of each reply, so a killed stand-in remembers exactly what it has answered for.
          Faults are asked for at /_control/faults.
Not here  Checkout, subscriptions, the balances of connected accounts; what services/payments does not need.
Invariant One idempotency key has one effect and one reply. No refund exceeds what was captured.
Source    Stripe's API reference and the types of its SDK; facts on payments.
"""
