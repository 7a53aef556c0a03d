"""How to ask for what is set aside, granted, revoked, corrected and used together, in the small world."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from hub.process import HubProcess
from schemas.checkouts import AuthorisePoints, CapturePoints, ExpireAuthorisation, RefundCapture, VoidAuthorisation
from schemas.corrections import CorrectPosting, RevokeCitizen, UseTogether
from schemas.grants import Coupon, CreditCoupon, GrantPoints, RegisterCoupons
from schemas.merges import AcknowledgeMerge, ReturnMerge, SendMerge
from schemas.points import PostingCommand, UsePoints
from schemas.values import NO_EXPIRY
from schemas.vouchers import ExpireVoucher, IssueVoucher, RedeemVoucher
from tests.workers.ledger.world import AIRLINE, CITY_OFFICE, FOREVER, START, STORE, TODAY, TOWN, ask, hash_of

PROGRAMME: Final = UUID(int=0xD1)
SHOP, STREET = UUID(int=0xF1), UUID(int=0xF2)
CLERK, BOSS = UUID(int=0x51), UUID(int=0x52)
CODE, WRONG_CODE = "ABCDEFGH", "ABCDEFGI"
IN_AN_HOUR: Final = START + timedelta(hours=1)
NAMESPACE: Final = UUID(int=0x686F6C64)


def hold_of(name: str) -> UUID:
    """A hold's id."""
    return uuid5(NAMESPACE, name)


def code_hash(name: str) -> bytes:
    """A coupon's."""
    return hash_of("coupon", name) * 2


def grant(command_id: str, citizen_id: UUID, points: int, pool: str = FOREVER) -> GrantPoints:
    """A programme's grant."""
    return GrantPoints(
        party_id=CITY_OFFICE, command_id=command_id, request_hash=hash_of("grant", citizen_id, points, pool),
        citizen_id=citizen_id, programme_id=PROGRAMME, pool=pool, points=points,
    )  # fmt: skip


def coupon(command_id: str, citizen_id: UUID, name: str, party_id: UUID = AIRLINE) -> CreditCoupon:
    """「クーポンコード利用」."""
    return CreditCoupon(
        party_id=party_id, command_id=command_id, request_hash=hash_of("coupon", citizen_id, name),
        citizen_id=citizen_id, code_hash=code_hash(name),
    )  # fmt: skip


async def register(
    process: HubProcess,
    names: Iterable[str],
    points: int = 100,
    pool: str = FOREVER,
    *,
    last: date = NO_EXPIRY,
    party_id: UUID = AIRLINE,
) -> int:
    """A partner's coupons; how many were new."""
    coupons = tuple(Coupon(code_hash=code_hash(name), points=points, pool=pool, last=last) for name in names)
    return (await ask(process, RegisterCoupons(party_id=party_id, coupons=coupons))).registered


def issue(
    name: str, citizen_id: UUID, points: int, pool: str = FOREVER, lg_code: str = TOWN,
    *, expires_on: date = TODAY, numbers: Iterable[str] = (), hold: str | None = None,
) -> IssueVoucher:  # fmt: skip
    """A voucher `name`, issued at a counter; its number is made of its name where none is given."""
    drawn = tuple(numbers) or (f"{hold_of(name).int % 10**8:08}",)
    return IssueVoucher(
        party_id=CITY_OFFICE, command_id=name, request_hash=hash_of("issue", citizen_id, points, pool, expires_on),
        citizen_id=citizen_id, hold_id=hold_of(hold or name), pool=pool, points=points, lg_code=lg_code,
        expires_on=expires_on, numbers=drawn, check_code=CODE,
    )  # fmt: skip


def redeem(
    command_id: str, citizen_id: UUID, hold: str, *, code: str = CODE, store_id: UUID = STORE, lg_code: str = TOWN
) -> RedeemVoucher:
    """「消込処理」."""
    return RedeemVoucher(
        party_id=store_id, command_id=command_id, request_hash=hash_of("redeem", hold, code, lg_code),
        citizen_id=citizen_id, hold_id=hold_of(hold), store_id=store_id, lg_code=lg_code, check_code=code,
    )  # fmt: skip


def expire_voucher(command_id: str, citizen_id: UUID, hold: str) -> ExpireVoucher:
    """The clockwork's."""
    return ExpireVoucher(
        party_id=CITY_OFFICE, command_id=command_id, request_hash=hash_of("expire_voucher", hold),
        citizen_id=citizen_id, hold_id=hold_of(hold),
    )  # fmt: skip


def authorise(
    name: str, citizen_id: UUID, points: int, pool: str = FOREVER,
    *, until: datetime = IN_AN_HOUR, merchant_id: UUID = SHOP, hold: str | None = None,
) -> AuthorisePoints:  # fmt: skip
    """A shop sets points aside for an order `name`."""
    return AuthorisePoints(
        party_id=merchant_id, command_id=name, request_hash=hash_of("authorise", citizen_id, points, pool, until),
        citizen_id=citizen_id, hold_id=hold_of(hold or name), merchant_id=merchant_id, pool=pool, points=points,
        expires_at=until,
    )  # fmt: skip


def capture(command_id: str, citizen_id: UUID, hold: str, points: int | None = None) -> CapturePoints:
    """The order is paid."""
    return CapturePoints(
        party_id=SHOP, command_id=command_id, request_hash=hash_of("capture", hold, points),
        citizen_id=citizen_id, hold_id=hold_of(hold), points=points,
    )  # fmt: skip


def void(command_id: str, citizen_id: UUID, hold: str) -> VoidAuthorisation:
    """The order came to nothing."""
    return VoidAuthorisation(
        party_id=SHOP, command_id=command_id, request_hash=hash_of("void", hold),
        citizen_id=citizen_id, hold_id=hold_of(hold),
    )  # fmt: skip


def expire_order(command_id: str, citizen_id: UUID, hold: str) -> ExpireAuthorisation:
    """The clockwork's."""
    return ExpireAuthorisation(
        party_id=CITY_OFFICE, command_id=command_id, request_hash=hash_of("expire_order", hold),
        citizen_id=citizen_id, hold_id=hold_of(hold),
    )  # fmt: skip


def refund(command_id: str, citizen_id: UUID, hold: str, points: int) -> RefundCapture:
    """The shop gives points back."""
    return RefundCapture(
        party_id=SHOP, command_id=command_id, request_hash=hash_of("refund", hold, points),
        citizen_id=citizen_id, hold_id=hold_of(hold), points=points,
    )  # fmt: skip


def send(
    name: str, citizen_id: UUID, points: int, pool: str = FOREVER, lg_code: str = TOWN,
    *, at_most: bool = False, hold: str | None = None,
) -> SendMerge:  # fmt: skip
    """「合算」."""
    return SendMerge(
        party_id=CITY_OFFICE, command_id=name, request_hash=hash_of("send", citizen_id, points, pool, at_most),
        citizen_id=citizen_id, hold_id=hold_of(hold or name), street_id=STREET, lg_code=lg_code, pool=pool,
        points=points, at_most=at_most,
    )  # fmt: skip


def acknowledge(command_id: str, citizen_id: UUID, hold: str) -> AcknowledgeMerge:
    """The street has them."""
    return AcknowledgeMerge(
        party_id=STREET, command_id=command_id, request_hash=hash_of("acknowledge", hold),
        citizen_id=citizen_id, hold_id=hold_of(hold),
    )  # fmt: skip


def send_back(command_id: str, citizen_id: UUID, hold: str) -> ReturnMerge:
    """The street does not want them."""
    return ReturnMerge(
        party_id=STREET, command_id=command_id, request_hash=hash_of("return", hold),
        citizen_id=citizen_id, hold_id=hold_of(hold),
    )  # fmt: skip


def revoke(command_id: str, citizen_id: UUID) -> RevokeCitizen:
    """「マイキーIDを失効しました。」."""
    return RevokeCitizen(
        party_id=citizen_id, command_id=command_id, request_hash=hash_of("revoke"), citizen_id=citizen_id
    )


def correct(
    command_id: str,
    original: PostingCommand,
    citizen_id: UUID | None = None,
    asked: UUID = CLERK,
    approved: UUID = BOSS,
) -> CorrectPosting:
    """Two people find that a posting was wrong."""
    return CorrectPosting(
        party_id=CITY_OFFICE, command_id=command_id,
        request_hash=hash_of("correct", original.party_id, original.command_id, asked, approved),
        citizen_id=citizen_id or original.citizen_id, original_party_id=original.party_id,
        original_command_id=original.command_id, asked_by=asked, approved_by=approved,
    )  # fmt: skip


def use_together(command_id: str, citizen_id: UUID, *parts: UsePoints) -> UseTogether:
    """Several pools pay one price."""
    return UseTogether(
        party_id=STORE, command_id=command_id,
        request_hash=hash_of("together", citizen_id, [part.model_dump_json() for part in parts]),
        citizen_id=citizen_id, parts=parts,
    )  # fmt: skip
