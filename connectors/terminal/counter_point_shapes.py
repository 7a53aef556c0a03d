"""What a counter's screens send and are told about points: used, on a voucher, redeemed, settled (画面28–36, 87)."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import StrictBool, StringConstraints

from connectors.terminal.counter_shapes import Shape
from hub.web.pages import Page
from schemas.holds import HoldState
from schemas.values import Points, Pool

VoucherText = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100)]
"""What the QR reader types, or what is printed below it: the voucher's number and its check code."""


class UsablePool(Shape):
    """Points that are taken here. `last` is the last day of those that end first, null where none ends."""

    pool: str
    name: str
    holder: str
    points: int
    last: date | None


class Usable(Shape):
    """What 画面29 and 32 show once the card is read."""

    place: str
    pools: list[UsablePool]


class UseForm(Shape):
    """「利用」: so many points of one pool; with `at_most` as many of them as there are."""

    pool: Pool
    points: Points
    at_most: StrictBool = False


class Receipt(Shape):
    """What 画面31 shows and prints. `left` is the citizen's balance of these points after it."""

    receipt_number: str
    place: str
    pool: str
    name: str
    points: int
    left: int
    day: date


class IssueForm(Shape):
    """「発行」: so many points on a voucher that is good through `expires_on`, at most 30 days."""

    pool: Pool
    points: Points
    expires_on: date


class Paper(Shape):
    """A voucher as it is printed (画面34), with the boxes 発行認印 and 利用店舗印 beside it.

    `qr` is what the QR says, `qr_svg` its picture; below it `number` and `check_code` are for whoever has no reader.
    """

    voucher_id: UUID
    number: str
    check_code: str
    qr: str
    qr_svg: str
    place: str
    pool: str
    name: str
    points: int
    expires_on: date


class OpenVoucher(Shape):
    """A voucher of the citizen that nobody has redeemed yet."""

    voucher_id: UUID
    number: str
    name: str
    points: int
    expires_on: date


class OpenVouchers(Shape):
    """Those that can be printed again."""

    vouchers: list[OpenVoucher]


class PrintForm(Shape):
    """「再発行」 of one of them."""

    voucher_id: UUID


class LookUpForm(Shape):
    """「ポイント券情報読取」 (画面35)."""

    text: VoucherText


class VoucherView(Shape):
    """A voucher, before it is redeemed: for the clerk to compare with the paper. `expires_on` is its last day."""

    number: str
    state: HoldState
    name: str
    points: int
    expires_on: date


class RedeemForm(Shape):
    """「消込処理」: `redemption_id` is drawn by whoever asks: asked again under it, nothing is redeemed twice.

    `place_id`: of the store on whose behalf it is redeemed, one of this municipality's; else it is this place's own.
    """

    redemption_id: UUID
    text: VoucherText
    place_id: UUID | None = None


class Redeemed(Shape):
    """What 画面36 shows and prints."""

    receipt_number: str
    place: str
    number: str
    points: int
    day: date


class PlaceView(Shape):
    """A store or place of this municipality."""

    place_id: UUID
    name: str


class PlaceList(Shape):
    """By name; `here` is this terminal's own."""

    here: UUID
    places: list[PlaceView]


class SettledTransaction(Shape):
    """One transaction; `transaction_id` is the hub's own name for it, `receipt_number` what its receipt says.

    `direction` is 1 where `points` are owed to this place, −1 where they are paid less: a correction.
    """

    day: date
    transaction_id: str
    receipt_number: str | None
    kind: str
    direction: int
    lg_code: str | None
    pool: str
    points: int


class SettledTransactions(Page[SettledTransaction]):
    """One page, by day. It may be short, or even empty, and yet have a `next`."""
