"""Identity: register, sign in, look after accounts and keys.

Idea      a token is signed here and verified anywhere by public key, so identity is asked only to sign in.
Invariant no personal data outside `account`, and none there once the account is closed. An account is known
          to the other services by its id only.
Not here  Which role may do what (services/platform/access.py); limits on all requests (rate_limits.py).
"""

import secrets
from datetime import datetime
from uuid import UUID, uuid4

from maas.events import AccountClosed
from services.gateway.keys import TOKEN_LIFE, TOKEN_LIFE_MAX, generate_key
from services.gateway.models import (
    Account,
    Device,
    StaffCreated,
    StaffPerson,
    Token,
    TravellerRegistration,
)
from services.gateway.passwords import Passwords
from services.gateway.store import AccountRow, IdentityStore
from services.gateway.throttle import WINDOW, count_try, get_wait_s, list_subjects
from services.platform.auth import Principal, Role, VerificationKey, sign_token
from services.platform.context import ServiceContext
from services.platform.problem import Problem

STAFF = [Role.CLERK, Role.ANALYST, Role.VALIDATOR, Role.ADMIN]


def normalise_email(email: str) -> str:
    """Two spellings of one mailbox are one login; the pattern of `Email` admits ASCII only."""
    return email.lower()


class Identity:
    """The use cases of identity; also IdentityPort for the other services."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._clock = context.clock
        self._store = IdentityStore(context.database)
        self._passwords = Passwords()

    # -- accounts

    async def register_traveller(self, registration: TravellerRegistration) -> Account:
        """A new traveller. Raises Problem email_taken."""
        return await self._open_account(
            role=Role.TRAVELLER,
            operator_id=None,
            login=normalise_email(registration.email),
            password=registration.password,
            name=registration.name,
            locale=registration.locale,
        )

    async def create_staff(self, staff: StaffPerson | Device) -> StaffCreated:
        """A new clerk, analyst, administrator or device. Raises Problem email_taken."""
        if isinstance(staff, Device):
            return await self._create_device(staff)
        account = await self._open_account(
            role=Role(staff.role),
            operator_id=staff.operator_id,
            login=normalise_email(staff.email),
            password=staff.password,
            name=staff.name,
            locale=staff.locale,
        )
        return StaffCreated(account=account)

    async def _create_device(self, device: Device) -> StaffCreated:
        client_id, client_secret = uuid4(), secrets.token_urlsafe(32)
        account = await self._open_account(
            role=Role.VALIDATOR,
            operator_id=device.operator_id,
            login=str(client_id),
            password=client_secret,
            name=device.name,
            locale=None,
            account_id=client_id,
        )
        return StaffCreated(account=account, client_id=client_id, client_secret=client_secret)

    async def _open_account(
        self,
        *,
        role: Role,
        operator_id: str | None,
        login: str,
        password: str,
        name: str,
        locale: str | None,
        account_id: UUID | None = None,
    ) -> Account:
        row = AccountRow(
            account_id=account_id or uuid4(),
            role=role,
            operator_id=operator_id,
            login=login,
            password_hash=await self._passwords.hash(password),
            display_name=name,
            locale=locale,
            created_at=self._clock.now(),
        )
        async with self._context.database.transaction() as tx:
            if not await self._store.insert_account(tx, row):
                raise Problem("email_taken", detail="Sign in with it, or register another address.")
        return _public(row)

    async def get_account(self, account_id: UUID) -> Account:
        """The account. Raises Problem not_found when it was closed."""
        row = await self._store.find_account(account_id)
        if row is None:
            raise Problem("not_found", detail="This account was closed.")
        return _public(row)

    async def list_staff(self) -> list[Account]:
        """Everybody but travellers."""
        return [_public(row) for row in await self._store.list_staff()]

    async def close_account(self, account_id: UUID, *, roles: list[Role]) -> None:
        """Forget the person. Raises Problem not_found. Tokens already given end by themselves, soon."""
        async with self._context.database.transaction() as tx:
            if not await self._store.close_account(tx, account_id, self._clock.now(), roles):
                raise Problem("not_found", detail="There is no such open account.")
            await self._context.outbox.append(tx, AccountClosed(account_id=account_id))

    # -- signing in

    async def sign_in(self, *, login: str, password: str, address: str) -> Token:
        """A token. Raises Problem credentials_invalid or rate_limited."""
        await self._count_try(login, address)
        account = await self._store.find_by_login(login)
        is_right = await self._passwords.verify(account.password_hash if account else None, password)
        if account is None or not is_right:
            raise Problem("credentials_invalid", detail="Check both, then try again.")
        await self._forgive(login, address)
        if self._passwords.is_outdated(account.password_hash):
            fresh = await self._passwords.hash(password)
            await self._store.change_password_hash(account.account_id, account.password_hash, fresh)
        return await self._issue(account)

    async def _count_try(self, login: str, address: str) -> None:
        """Count it before the password is checked: parallel guesses cannot slip past the limit."""
        now = self._clock.now()
        async with self._context.database.transaction() as tx:
            for subject in list_subjects(login, address):
                attempts = await self._store.lock_attempts(tx, subject.key, now)
                wait_s = get_wait_s(attempts, subject.limit, now)
                if wait_s > 0:
                    raise Problem(
                        "rate_limited",
                        detail=f"Too many failed sign-ins. Try again in {wait_s} s.",
                        headers={"Retry-After": str(wait_s)},
                    )
                await self._store.save_attempts(tx, subject.key, count_try(attempts, now))

    async def _forgive(self, login: str, address: str) -> None:
        for subject in list_subjects(login, address):
            await self._store.forgive_attempt(subject.key, all_of_them=subject.key.startswith("pair:"))

    async def _issue(self, account: AccountRow) -> Token:
        now = self._clock.now()
        principal = Principal(
            subject=str(account.account_id), role=account.role, operator_id=account.operator_id
        )
        expires_at = now + TOKEN_LIFE[account.role]
        return Token(
            access_token=await self.sign(principal, issued_at=now, expires_at=expires_at),
            expires_at=expires_at,
            role=account.role,
            account_id=account.account_id,
        )

    async def sign(self, principal: Principal, *, issued_at: datetime, expires_at: datetime) -> str:
        """A token of the current key."""
        key = await self._store.get_current_key()
        return sign_token(
            private_key=key.signer,
            kid=key.kid,
            principal=principal,
            issued_at=issued_at,
            expires_at=expires_at,
            token_id=uuid4().hex,
        )

    # -- keys

    async def ensure_key(self) -> None:
        """Make the first key of a new house."""
        await self._store.ensure_key(generate_key(), self._clock.now())

    async def rotate_key(self, *, revoke_old: bool) -> str:
        """Sign with a new key from now on; returns its id."""
        key, now = generate_key(), self._clock.now()
        await self._store.rotate_key(key, now=now, retires_at=now + TOKEN_LIFE_MAX, revoke_old=revoke_old)
        return key.kid

    async def list_verification_keys(self) -> list[VerificationKey]:
        """See IdentityPort."""
        return [key.public for key in await self._store.list_valid_keys(self._clock.now())]

    async def forget_old_attempts(self) -> None:
        """Housekeeping."""
        await self._store.forget_old_attempts(self._clock.now() - WINDOW)


def _public(row: AccountRow) -> Account:
    return Account(
        account_id=row.account_id,
        role=row.role,
        operator_id=row.operator_id,
        email=None if row.role is Role.VALIDATOR else row.login,
        name=row.display_name,
        locale=row.locale,
        created_at=row.created_at,
    )
