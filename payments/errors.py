"""What can break here. Each error's docstring is its message's meaning and its cure."""


class PaymentsError(Exception):
    """The root of this package's errors; `code` is stable and public."""

    code = "payments_error"


class AccountNotFound(PaymentsError):
    """No ledger account has this id. Open it first, or correct the id."""

    code = "account_not_found"


class AccountExistsWithDifferentFields(PaymentsError):
    """This ledger account is open with another bound or currency. Take it from `chart_account`."""

    code = "account_exists_with_different_fields"


class PaymentNotFound(PaymentsError):
    """No payment has this id. Take the id from the order."""

    code = "payment_not_found"


class SettlementBatchNotFound(PaymentsError):
    """No settlement batch has this id. List the batches to find it."""

    code = "settlement_batch_not_found"


class RefundExceedsShare(PaymentsError):
    """A refund takes back more than the operator earned. Look at the order's rides and refunds."""

    code = "refund_exceeds_share"


class BankFileInvalid(PaymentsError):
    """A bank file cannot carry this name, number or amount. Correct the agreement's bank account."""

    code = "bank_file_invalid"


class TransferRefused(PaymentsError):
    """The ledger refused a transfer that must not be lost. See its status; it is tried again."""

    code = "transfer_refused"


class ProviderUnavailable(PaymentsError):
    """The payment provider did not answer, or answered with a fault. The command is safe to repeat."""

    code = "provider_unavailable"


class ProviderRefused(PaymentsError):
    """The payment provider refuses this command for good; the message has its reason. Look at the payment."""

    code = "provider_refused"


class PaymentCommandDiffers(PaymentsError):
    """This id was used for another payment or refund. Take a new id for a new command."""

    code = "payment_command_differs"


class SavedMethodNotFound(PaymentsError):
    """No card of this customer that is ready has this id. List the customer's cards to find it."""

    code = "saved_method_not_found"


class WalletNotFound(PaymentsError):
    """This traveller has no wallet. Open one first."""

    code = "wallet_not_found"


class TopUpNotFound(PaymentsError):
    """No top-up of this traveller has this id. List the top-ups to find it."""

    code = "top_up_not_found"


class DisputeNotFound(PaymentsError):
    """No dispute has this id. List the disputes to find it."""

    code = "dispute_not_found"


class DisputeDecided(PaymentsError):
    """Evidence was handed in already, or the bank has decided. Look at the dispute's state."""

    code = "dispute_decided"


class BillNotFound(PaymentsError):
    """No bill of this customer has this id. List the bills to find it."""

    code = "bill_not_found"


class BillNotPayable(PaymentsError):
    """This bill is not in a state in which it can be paid or given up so. Look at the bill."""

    code = "bill_not_payable"


class MandateNotFound(PaymentsError):
    """No mandate of this person has this id. List the mandates to find it."""

    code = "mandate_not_found"


class RefundNotRetriable(PaymentsError):
    """This refund has not failed, or nothing is owed by it. Look at its state."""

    code = "refund_not_retriable"


class PayoutNotFound(PaymentsError):
    """No payout of a wallet has this id. List the payouts to find it."""

    code = "payout_not_found"


class BusinessNotFound(PaymentsError):
    """No business customer has this id. Put it first, or correct the id."""

    code = "business_not_found"


class InvoiceNotFound(PaymentsError):
    """No invoice to a business has this id. List the business's invoices to find it."""

    code = "invoice_not_found"


class OperatorPayoutNotFound(PaymentsError):
    """No payout to an operator has this id. Take the id from the settlement run's payments."""

    code = "operator_payout_not_found"
