"""Who may do what: one table, operation by operation.

An operation without a row cannot be mounted. PUBLIC needs no token; ANYONE is every signed-in caller. Whether
a resource is the caller's own is decided in the handler, by its owner's id. Services call one another on
internal endpoints only, which are not in this table.
"""

from services.platform.auth import Role

PUBLIC: frozenset[Role] = frozenset()
ANYONE = frozenset(Role)
PERSON_OR_DEVICE = ANYONE - {Role.SERVICE}
TRAVELLER = frozenset({Role.TRAVELLER})
CLERK = frozenset({Role.CLERK})
VALIDATOR = frozenset({Role.VALIDATOR})
ADMIN = frozenset({Role.ADMIN})
ANALYST = frozenset({Role.ANALYST})

ACCESS: dict[str, frozenset[Role]] = {
    # gateway
    "registerTraveller": PUBLIC,
    "createToken": PUBLIC,
    "listKeys": PUBLIC,
    "getMe": PERSON_OR_DEVICE,
    "closeMe": TRAVELLER,
    "createStaff": ADMIN,
    "listStaff": ADMIN,
    "closeStaff": ADMIN,
    "rotateKeys": ADMIN,
    "getOpenapi": PUBLIC,
    "showLanding": PUBLIC,
    "showDocs": PUBLIC,
    "showDocsStyle": PUBLIC,
    "showDocsScript": PUBLIC,
    # feeds
    "loadNetwork": ADMIN,
    "getLoadProgress": ADMIN,
    "listNetworks": ADMIN | ANALYST,
    "listNetworkNotices": ADMIN | ANALYST,
    "listFeeds": PUBLIC,
    # planner
    "plan": PUBLIC,
    "geocode": PUBLIC,
    "getJourney": PUBLIC,
    "oneToAll": PUBLIC,
    "oneToAllV1": PUBLIC,
    "stoptimes": PUBLIC,
    "stoptimesV5": PUBLIC,
    # sales
    "createOffer": TRAVELLER,
    "getOffer": TRAVELLER,
    "placeOrder": TRAVELLER,
    "payOrder": TRAVELLER,
    "cancelOrder": TRAVELLER,
    "listOrders": TRAVELLER,
    "getOrder": TRAVELLER | ADMIN,
    "getReceipt": TRAVELLER | ADMIN,
    "listNotifications": TRAVELLER,
    "listDisruptionCases": CLERK | ADMIN,
    "recordClaim": CLERK | ADMIN,
    "presentCredential": TRAVELLER,
    "listClaims": TRAVELLER,
    "withdrawClaim": TRAVELLER | CLERK | ADMIN,
    "putClaimIssuer": ADMIN,
    "listClaimIssuers": PUBLIC,
    "listPassProducts": PUBLIC,
    "placePassOrder": TRAVELLER,
    "payPassOrder": TRAVELLER,
    "cancelPassOrder": TRAVELLER,
    "listPassOrders": TRAVELLER,
    "getPassOrder": TRAVELLER | ADMIN,
    # payments
    "getPayment": TRAVELLER | ADMIN,
    "saveMethod": TRAVELLER,
    "listMethods": TRAVELLER,
    "getMethod": TRAVELLER,
    "setDefaultMethod": TRAVELLER,
    "detachMethod": TRAVELLER,
    "receivePaymentWebhook": PUBLIC,
    "reconcilePayments": ADMIN,
    "openWallet": TRAVELLER,
    "getWallet": TRAVELLER,
    "listWalletEntries": TRAVELLER,
    "setAutoTopUp": TRAVELLER,
    "stopAutoTopUp": TRAVELLER,
    "topUpWallet": TRAVELLER,
    "listTopUps": TRAVELLER,
    "getTopUp": TRAVELLER,
    # ledger
    "getTrialBalance": ADMIN,
    "getLedgerAccount": ADMIN,
    "listLedgerEntries": ADMIN,
    "getTransferProof": ADMIN,
    "listSeals": ADMIN,
    "getUnusedPrepaidValue": ADMIN,
    # settlement
    "putAgreement": ADMIN,
    "listAgreements": ADMIN,
    "postAdjustment": ADMIN,
    "runSettlement": ADMIN,
    "listSettlementRuns": ADMIN,
    "getSettlementRun": ADMIN,
    "getStatement": CLERK | ADMIN,
    "listStatements": CLERK | ADMIN,
    "getBankFile": ADMIN,
    "confirmSettlement": ADMIN,
    # ticketing
    "listTickets": TRAVELLER,
    "getTicket": TRAVELLER,
    "getTicketQr": TRAVELLER,
    "listRides": TRAVELLER,
    "listTicketKeys": PUBLIC,
    "rotateTicketKeys": ADMIN,
    "registerTicketDevice": TRAVELLER,
    "listTicketDevices": TRAVELLER,
    "closeTicketDevice": TRAVELLER,
    "bindTicket": TRAVELLER,
    "printTicket": TRAVELLER,
    "revokeTicketKey": ADMIN,
    "listRevocations": VALIDATOR | ADMIN,
    "listTicketUses": VALIDATOR | ADMIN,
    "lookUpPhoneCode": VALIDATOR | CLERK,
    "usePhoneCode": VALIDATOR | CLERK,
    "recordTaps": VALIDATOR,
    "putDevice": ADMIN,
    "getDevice": ADMIN,
    "listDevices": ADMIN,
    # dispatch
    "listOnDemandZones": PUBLIC,
    "putOnDemandZone": ADMIN,
    "putOnDemandVehicle": ADMIN,
    "quoteOnDemandRide": TRAVELLER,
    "bookOnDemandRide": TRAVELLER,
    "getOnDemandBooking": TRAVELLER | CLERK | ADMIN,
    "cancelOnDemandBooking": TRAVELLER,
    "moveOnDemandBooking": CLERK | ADMIN,
    "getVehicleSchedule": CLERK | ADMIN,
    # partners
    "listRentals": PUBLIC,
    "listBikeStations": PUBLIC,
    "putBikeSystem": ADMIN,
    "listBikeSystems": ADMIN,
    "putBerthClasses": ADMIN,
    "listSailings": PUBLIC,
    "getBerths": PUBLIC,
    "getManifest": CLERK | ADMIN,
    "cancelSailing": CLERK,
    "setSailingStatus": CLERK,
    # demand
    "getDemandSearches": ANALYST | ADMIN,
    "getDemandUnmet": ANALYST | ADMIN,
    "getDemandRides": ANALYST | ADMIN,
    "getDemandOrders": ANALYST | ADMIN,
    "exportDemandSearches": ANALYST | ADMIN,
    "exportDemandUnmet": ANALYST | ADMIN,
    "exportDemandRides": ANALYST | ADMIN,
    "exportDemandOrders": ANALYST | ADMIN,
    "listDemandReleases": ANALYST | ADMIN,
    "releaseDemand": ADMIN,
    # demo
    "getDemoClock": PUBLIC,
    "advanceDemoClock": ADMIN,
    "getDemoGbfs": PUBLIC,
}
