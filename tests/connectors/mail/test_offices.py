"""A municipality's office is mailed what it is asked to approve, and where."""

from typing import Final
from uuid import UUID

from schemas.offers import ApprovalAsked, ScreeningPassed
from tests.connectors.mail.mailbox import Mailbox
from tests.connectors.mail.posting import mailing, say, settled

OFFICE: Final = "points@city.example"
SHOP: Final = UUID(int=0x51)


def asked(mail: str = OFFICE, offer_id: str = "tea:100g") -> ApprovalAsked:
    return ApprovalAsked(
        party_id=SHOP,
        party="名産品店",
        offer_id=offer_id,
        revision=1,
        title="茶 100g\r\nBcc: x@evil.example",
        merchant="茶園",
        lg_code="232343",
        mail=mail,
    )


async def test_the_office_is_mailed_the_address_of_the_page(database_url: str, mailbox: Mailbox) -> None:
    async with mailing(database_url, mailbox) as process:
        await say(process, asked(), asked(mail="nobody@localhost@"))
        await settled(process)
        address = f"/municipal/offers/{SHOP}/tea%3A100g?revision=1"
    (mail,) = await mailbox.mails()
    headers = dict(mail["headers"])
    assert mail["envelope_to"] == OFFICE
    assert headers["Subject"] == "ポイントで利用できる商品等の承認依頼（名産品店）"
    assert "Bcc" not in headers
    assert address in mail["text"]
    assert "茶園" in mail["text"]


async def test_the_office_is_told_that_a_business_has_passed(database_url: str, mailbox: Mailbox) -> None:
    referral_id = UUID(int=7)
    event = ScreeningPassed(
        referral_id=referral_id, party_id=SHOP, party="ファンド", lg_code="232343", business="酒蔵", mail=OFFICE
    )
    async with mailing(database_url, mailbox) as process:
        await say(process, event)
        await settled(process)
    (mail,) = await mailbox.mails()
    assert dict(mail["headers"])["Subject"] == "紹介いただいた事業の審査通過のお知らせ（ファンド）"
    assert f"/municipal/referrals/{referral_id}" in mail["text"]
    assert "酒蔵" in mail["text"]
