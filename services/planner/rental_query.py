"""Which shared bikes a search takes: the parameters of the MOTIS API about rentals."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from maas.sharing.gbfs import FORM_FACTORS, PROPULSION_TYPES
from services.planner.bikes.offers import RentalFilter
from services.planner.parameters import Listed, MotisQuery, split_list

Form = Annotated[str, StringConstraints(pattern=f"^({'|'.join(sorted(FORM_FACTORS)).upper()})$")]
Propulsion = Annotated[str, StringConstraints(pattern=f"^({'|'.join(sorted(PROPULSION_TYPES)).upper()})$")]
Forms = Annotated[tuple[Form, ...], BeforeValidator(split_list), Field(max_length=60)]
Propulsions = Annotated[tuple[Propulsion, ...], BeforeValidator(split_list), Field(max_length=60)]


class RentalQuery(MotisQuery):
    """A query about journeys that may use shared bikes. An empty list takes all.

    A system is a provider, and a provider group of its own.
    """

    pre_transit_rental_form_factors: Forms = ()
    pre_transit_rental_propulsion_types: Propulsions = ()
    pre_transit_rental_providers: Listed = ()
    pre_transit_rental_provider_groups: Listed = ()
    ignore_pre_transit_rental_return_constraints: bool = False
    post_transit_rental_form_factors: Forms = ()
    post_transit_rental_propulsion_types: Propulsions = ()
    post_transit_rental_providers: Listed = ()
    post_transit_rental_provider_groups: Listed = ()
    ignore_post_transit_rental_return_constraints: bool = False
    direct_rental_form_factors: Forms = ()
    direct_rental_propulsion_types: Propulsions = ()
    direct_rental_providers: Listed = ()
    direct_rental_provider_groups: Listed = ()
    ignore_direct_rental_return_constraints: bool = False

    @property
    def access_rental(self) -> RentalFilter:
        """What is taken to the first stop."""
        return self._filter("pre_transit")

    @property
    def egress_rental(self) -> RentalFilter:
        """What is taken from the last stop."""
        return self._filter("post_transit")

    @property
    def direct_rental(self) -> RentalFilter:
        """What is taken all the way."""
        return self._filter("direct")

    def _filter(self, part: str) -> RentalFilter:
        def words(what: str) -> frozenset[str]:
            return frozenset(getattr(self, f"{part}_rental_{what}"))

        return RentalFilter(
            form_factors=frozenset(each.lower() for each in words("form_factors")),
            propulsion_types=frozenset(each.lower() for each in words("propulsion_types")),
            systems=tuple(each for each in (words("providers"), words("provider_groups")) if each),
            ignores_return=getattr(self, f"ignore_{part}_rental_return_constraints"),
        )
