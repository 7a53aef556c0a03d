"""The ways through the screens, each page looked at: what a newcomer does, from the front page to the revocation.

A walk takes its window, and `turn`: which of the demo's cards and coupons are its own, so that two can be under way.
"""

from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from tests.journeys.browser.browsing import Walker

FRESH_PASSWORD: Final = "kawasemi-2958-susuki"  # made up, of the demo
NEXT_PASSWORD: Final = "yamabuki-7140-kogane"
MAKER, SPENDER, MEMBER = "DEMO0001", "DEMO0002", "DEMO0003"
MAILED: Final = {
    "mailed-offer": f"/municipal/offers/{UUID(int=1)}/rice-5kg?revision=1",
    "mailed-referral": f"/municipal/referrals/{UUID(int=1)}",
}
"""Where mails lead an office to."""
COUPONS: Final = ("DEMO-COUPON-0001", "DEMO-COUPON-0002")

People = Mapping[str, str]
Walk = Callable[[Walker, People, int], None]


def log_in(walker: Walker, people: People, mykey_id: str) -> None:
    """By MyKey ID and password; ends on My Page."""
    walker.go("/login")
    walker.fill("マイキーID", mykey_id.lower())
    walker.page.get_by_label("パスワード", exact=False).first.fill(people[mykey_id])
    walker.press("ログイン")
    walker.at("/my")


def everybody(walker: Walker, people: People, turn: int) -> None:
    """画面1, 18 and what is there for everybody."""
    del turn
    walker.go("/")
    walker.see("front", "1")
    for name in ("accessibility", "privacy"):
        walker.go(f"/{name}")
        walker.see(name)
    for name, path in MAILED.items():
        walker.go(path)
        walker.see(name)
    walker.go("/my/history")
    walker.at("/login")
    walker.see("log-in", "18")
    walker.press("ログイン")
    walker.see("log-in-faults", "18")
    walker.fill("マイキーID", "ＤＥＭＯ-0001")
    walker.page.get_by_label("パスワード", exact=False).first.fill("wrong")
    walker.press("ログイン")
    walker.see("log-in-wrong", "18")
    walker.fill("マイキーID", "ｄｅｍｏ 0001")
    walker.page.get_by_label("パスワード", exact=False).first.fill(people[MAKER])
    walker.press("ログイン")
    walker.at("/my/history")
    walker.press("ログアウトする")
    walker.at("/login")
    walker.see("logged-out")


def newcomer(walker: Walker, people: People, turn: int) -> None:
    """画面12–17, 57, 62, 63: a MyKey ID from its making to its revocation."""
    del people
    walker.go("/")
    walker.follow("マイキーIDの作成・登録")
    walker.see("create", "12–15")
    walker.page.get_by_label(f"新しいカード {turn + 1}").check()
    walker.press("利用者証明用電子証明書パスワード入力")
    walker.see("create-id", "16")
    walker.fill("お好きなマイキーID", "DEMO0001")
    walker.press("重複チェック")
    walker.see("create-id-taken", "16")
    walker.press("自動生成")
    walker.see("create-id-offered", "16")
    walker.press("このマイキーIDに決める")
    walker.see("create-place", "16")
    walker.page.get_by_label("都道府県").select_option("愛知県")
    walker.press("次へ進む")
    walker.see("create-details", "16")
    walker.press("確認へ進む")
    walker.see("create-details-faults", "16")
    walker.fill("氏名", "試験 花子")
    walker.fill("メールアドレス", "hanako@mail.example")
    walker.page.get_by_label("基本自治体").select_option(index=1)
    walker.press("確認へ進む")
    walker.see("create-confirm", "16")
    walker.page.get_by_label("マイページのパスワード").fill(FRESH_PASSWORD)
    walker.press("登録")
    walker.see("created", "17")
    walker.follow("利用者マイページへ")
    walker.see("services-of-newcomer", "57")
    _new_mykey_id(walker, turn)
    _revocation(walker)


def _new_mykey_id(walker: Walker, turn: int) -> None:
    walker.go("/my/mykey-id")
    walker.see("mykey-id", "62")
    walker.page.get_by_label(f"新しいカード {turn + 1}").check()
    walker.press("カードを読み取る")
    walker.see("mykey-id-choice", "62")
    walker.press("自動生成")
    walker.press("このマイキーIDに決める")
    walker.see("mykey-id-confirm", "62")
    walker.press("マイキーIDを変更する")
    walker.see("mykey-id-done", "62")


def _revocation(walker: Walker) -> None:
    walker.go("/my/revoke")
    walker.see("revoke", "63")
    walker.press("失効の手続きへ進む")
    walker.identify(FRESH_PASSWORD)
    walker.at("/my/revoke/confirm", "/my/revoke")
    if walker.is_at("/my/revoke"):
        walker.press("失効の手続きへ進む")
    walker.see("revoke-confirm", "63")
    walker.press("マイキーIDを失効する")
    walker.see("revoked", "63")
    walker.go("/my")
    walker.at("/login")


def points(walker: Walker, people: People, turn: int) -> None:
    """画面19, 40–56: reserve points to a municipality and to an event, and the histories."""
    del turn
    log_in(walker, people, MAKER)
    walker.see("home", "19")
    walker.follow("地域経済応援ポイント協力会社一覧")
    walker.see("partners", "40")
    walker.go("/my/move")
    walker.see("move", "41, 46")
    walker.go("/my/move/municipal")
    walker.see("municipal-prefecture", "41")
    walker.page.get_by_label("都道府県").select_option("愛知県")
    walker.press("表示")
    walker.see("municipal-list", "42")
    walker.lead(walker.page.locator("main .mk-choices__link").first)
    _amount(walker, "municipal", ("43", "44", "45"))
    walker.go("/my/move/event")
    walker.see("event-prefecture", "46")
    walker.page.get_by_label("都道府県").select_option("愛知県")
    walker.press("表示")
    walker.see("event-list", "47")
    walker.follow("北名古屋市")
    walker.see("event-municipality", "48")
    walker.lead(walker.page.locator("main .mk-choices__link").first)
    _amount(walker, "event", ("49", "50", "51"))
    for name, number in (("", "52–56"), ("/reserve", "52"), ("/municipal", "53"), ("/events", "55")):
        walker.go(f"/my/history{name}")
        walker.see(f"history{name.replace('/', '-')}", number)
        if name in {"/municipal", "/events"}:
            walker.lead(walker.page.locator("main .mk-balance__links a").first)
            walker.see(f"history-{name[1:]}-one", {"/municipal": "54", "/events": "56"}[name])


def _amount(walker: Walker, kind: str, numbers: tuple[str, str, str]) -> None:
    walker.see(f"{kind}-amount", numbers[0])
    walker.press("確認")
    walker.see(f"{kind}-amount-faults", numbers[0])
    walker.page.get_by_role("textbox").first.fill("１００")
    walker.press("確認")
    walker.see(f"{kind}-confirm", numbers[1])
    walker.press("実行")
    walker.see(f"{kind}-done", numbers[2])


def services(walker: Walker, people: People, turn: int) -> None:
    """画面20, 21, 57, 58: coupons, linked services, service IDs."""
    log_in(walker, people, SPENDER)
    walker.go("/my/services")
    walker.see("services", "57")
    walker.follow("連携を見る")
    walker.see("service", "57")
    walker.follow("連携を解除する")
    walker.see("service-unlink", "57")
    walker.go("/my/coupon")
    walker.see("coupon", "20")
    walker.press("確認")
    walker.see("coupon-faults", "20")
    walker.page.get_by_label("協力会社").select_option("カード会社")
    walker.fill("クーポンコード", COUPONS[turn].lower())
    walker.press("確認")
    walker.see("coupon-confirm", "21")
    walker.press("ポイント移行")
    walker.see("coupon-done", "21")
    walker.go("/my/service-ids")
    walker.see("service-ids", "58")


def profile(walker: Walker, people: People, turn: int) -> None:
    """画面59–61: mail, password, base municipality, mail choices; who is it, asked again."""
    log_in(walker, people, MEMBER)
    walker.go("/my/profile")
    walker.see("profile", "59")
    walker.go("/my/profile/mail")
    walker.see("mail", "60")
    walker.fill("新しいメールアドレス", f"demo-{turn}＠mail.example")
    walker.press("確認へ進む")
    walker.at("/my/identity")
    walker.see("identity")
    walker.identify(people[MEMBER])
    if walker.is_at("/my/profile/mail"):
        walker.fill("新しいメールアドレス", f"demo-{turn}@mail.example")
        walker.press("確認へ進む")
    walker.see("mail-confirm", "60")
    walker.press("変更する")
    walker.see("mail-done", "61")
    _base(walker, turn)
    walker.go("/my/profile/notices")
    walker.see("notices", "60")
    walker.page.get_by_label("ポイントが失効した場合").set_checked(turn == 1)
    walker.press("確認へ進む")
    walker.see("notices-confirm", "60")
    walker.press("変更する")
    walker.see("notices-done", "61")
    walker.go("/my/profile/password")
    walker.see("password", "60")
    walker.page.get_by_label("今のパスワード").fill(people[MEMBER])
    walker.page.get_by_label("新しいパスワード").first.fill("123456789012")
    walker.press("変更する")
    walker.see("password-faults", "60")


def _base(walker: Walker, turn: int) -> None:
    walker.go("/my/profile/base")
    walker.see("base-prefecture", "60")
    walker.page.get_by_label("都道府県").select_option("愛知県")
    walker.press("次へ進む")
    walker.see("base", "60")
    walker.page.get_by_label("自治体").first.select_option(index=1 + turn)
    walker.press("確認へ進む")
    walker.see("base-confirm", "60")
    walker.press("変更する")
    walker.see("base-done", "61")


def card(walker: Walker, people: People, turn: int) -> None:
    """画面18 by the card."""
    del people, turn
    walker.go("/login/card")
    walker.see("card-log-in", "18")
    walker.page.locator("input[type=radio]").last.check()
    walker.press("カードを読み取る")
    walker.at("/my")


WALKS: Final[Mapping[str, Walk]] = {
    "everybody": everybody,
    "newcomer": newcomer,
    "points": points,
    "services": services,
    "profile": profile,
    "card": card,
}
