"""Cards that a customer keeps with us, so that they can be charged when the customer is not there."""
