"""Who pays whom in the end.

Problem   Many small debts between participants would be many payments. Each participant need only pay or
          receive what is left of all of them.
Idea      Debts are the weighted edges of a directed graph. A position is what flows in less what flows
          out. The hub stands between all: whoever owes pays the hub, whoever is owed is paid by it, so n
          participants need at most n - 1 payments.
Not here  Which debts there are (settlement.py), currencies (one graph each), and the bank.
Invariant positions sum to zero; payments bring every position to zero; net <= gross.
Source    Facts on payments, rule 23.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """`debtor` owes `creditor` so much."""

    debtor: str
    creditor: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetPosition:
    """What a participant is owed and owes by all others together."""

    participant: str
    gets_minor: int
    owes_minor: int

    @property
    def net_minor(self) -> int:
        """Positive: is paid. Negative: pays."""
        return self.gets_minor - self.owes_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class NetPayment:
    """A payment that remains."""

    payer: str
    payee: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Netting:
    """The outcome.

    `net_minor` is the money that changes its owner, the sum of what positions get; a yen that passes through
    the hub from one to another counts once. `efficiency_bp` is the part of gross that need not, in 1/100 of
    a percent.
    """

    positions: tuple[NetPosition, ...]
    payments: tuple[NetPayment, ...]
    gross_minor: int
    net_minor: int
    efficiency_bp: int


def net(obligations: Iterable[Obligation], *, hub: str) -> Netting:
    """Net all debts against one another; `hub` is a party to every payment that remains.

    A negative amount is a debt the other way round; a debt to oneself is a bug.
    """
    graph = _graph_of(obligations)
    graph.add_node(hub)
    gets = dict(graph.in_degree(weight="amount_minor"))
    owes = dict(graph.out_degree(weight="amount_minor"))
    positions = tuple(
        NetPosition(participant=name, gets_minor=gets[name], owes_minor=owes[name]) for name in sorted(graph)
    )
    assert sum(position.net_minor for position in positions) == 0, "what one gets another gives"
    payments = tuple(
        _payment(position, hub)
        for position in positions
        if position.participant != hub and position.net_minor
    )
    assert len(payments) <= len(positions) - 1, "n participants need at most n - 1 payments"
    gross = sum(owes.values())
    net_minor = sum(max(0, position.net_minor) for position in positions)
    return Netting(
        positions=positions,
        payments=payments,
        gross_minor=gross,
        net_minor=net_minor,
        efficiency_bp=(gross - net_minor) * 10_000 // gross if gross else 0,
    )


def _graph_of(obligations: Iterable[Obligation]) -> "nx.DiGraph[str]":
    graph: nx.DiGraph[str] = nx.DiGraph()
    for each in obligations:
        assert each.debtor != each.creditor, "nobody owes himself"
        debtor, creditor, amount_minor = each.debtor, each.creditor, each.amount_minor
        if amount_minor < 0:
            debtor, creditor, amount_minor = creditor, debtor, -amount_minor
        before = graph.get_edge_data(debtor, creditor, {"amount_minor": 0})["amount_minor"]
        graph.add_edge(debtor, creditor, amount_minor=before + amount_minor)
    return graph


def _payment(position: NetPosition, hub: str) -> NetPayment:
    if position.net_minor > 0:
        return NetPayment(payer=hub, payee=position.participant, amount_minor=position.net_minor)
    return NetPayment(payer=position.participant, payee=hub, amount_minor=-position.net_minor)
