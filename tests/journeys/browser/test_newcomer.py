"""What is promised to whoever tries `make run`: a MyKey ID, points moved, the history, another base, the end.

One way through, by keyboard and mouse as a person would, in a real browser; what each page looks like is looked at
elsewhere.
"""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.browser.browsing import Walker, walking
from tests.journeys.browser.site import Site

PASSWORD = "kawasemi-2958-susuki"
COUPON = "demo-coupon-0003"
POINTS = 1_200


@pytest.mark.timeout(120)
def test_a_newcomer_makes_a_mykey_id_moves_points_and_revokes(site: Site, browser: Browser) -> None:
    with walking(browser, site.url, 390, scripts=True) as walker:
        page = walker.page
        walker.go("/")
        walker.follow("マイキーIDの作成・登録")
        mykey_id = make(page)
        receive(page)
        move(walker)
        look_back(walker)
        move_house(walker)
        revoke(walker)
        walker.go("/login")
        page.get_by_label("マイキーID").fill(mykey_id)
        page.get_by_label("パスワード").first.fill(PASSWORD)
        press(page, "ログイン")
        expect(page.locator(".govuk-error-summary")).to_be_visible()


def press(page: Page, text: str) -> None:
    """The button of this name in the page's main part."""
    with page.expect_navigation():
        page.get_by_role("main").get_by_role("button", name=text, exact=True).click()


def make(page: Page) -> str:
    """画面12–17; returns the MyKey ID."""
    page.get_by_label("新しいカード 3").check()
    press(page, "利用者証明用電子証明書パスワード入力")
    press(page, "自動生成")
    mykey_id = page.locator("main .mk-code").first.inner_text()
    press(page, "このマイキーIDに決める")
    page.get_by_label("都道府県").select_option("愛知県")
    press(page, "次へ進む")
    page.get_by_label("氏名").fill("試験 花子")
    page.get_by_label("メールアドレス").fill("hanako@mail.example")
    page.get_by_label("基本自治体").select_option(label="北名古屋市")
    page.get_by_label("ポイントが付与された場合").check()
    press(page, "確認へ進む")
    page.get_by_label("マイページのパスワード").first.fill(PASSWORD)
    press(page, "登録")
    expect(page.get_by_text("マイキーIDの作成・登録が完了しました。")).to_be_visible()
    expect(page.locator("main .mk-code").nth(1)).to_have_text(mykey_id)
    page.get_by_role("link", name="利用者マイページへ").click()
    return mykey_id


def receive(page: Page) -> None:
    """画面57, 20, 21: reserve points by a coupon."""
    page.get_by_role("link", name="クーポンコード利用").click()
    page.get_by_label("協力会社").select_option("カード会社")
    page.get_by_label("クーポンコード").fill(COUPON)
    press(page, "確認")
    press(page, "ポイント移行")
    expect(page.get_by_text("ポイントの移行が完了しました。")).to_be_visible()


def move(walker: Walker) -> None:
    """画面41–45: to the base municipality; a click that comes twice moves them once."""
    page = walker.page
    walker.go("/my/move/municipal")
    page.get_by_label("都道府県").select_option("愛知県")
    press(page, "表示")
    page.get_by_role("link", name="北名古屋市").click()
    page.get_by_label("移行ポイント数").fill("５００")
    press(page, "確認")
    press(page, "実行")
    expect(page.get_by_text("ポイントの移行が完了しました。")).to_be_visible()
    page.go_back()
    page.reload()
    expect(page.get_by_text("ポイントの移行が完了しました。")).to_be_visible()
    walker.go("/my")
    expect(page.locator(".mk-balance").first).to_contain_text(f"{POINTS - 500:,}")


def look_back(walker: Walker) -> None:
    """画面52, 54: both sides of it."""
    page = walker.page
    walker.go("/my/history/reserve")
    expect(page.get_by_role("main")).to_contain_text("700")
    expect(page.get_by_role("main")).to_contain_text("クーポンコードの利用")
    walker.go("/my/history/municipal")
    expect(page.get_by_role("main")).to_contain_text("500")


def move_house(walker: Walker) -> None:
    """画面61: another base municipality."""
    page = walker.page
    walker.go("/my/profile/base")
    page.get_by_label("都道府県").select_option("福岡県")
    press(page, "次へ進む")
    page.get_by_label("自治体").first.select_option(label="筑後市")
    press(page, "確認へ進む")
    press(page, "変更する")
    expect(page.get_by_role("main")).to_contain_text("福岡県筑後市")


def revoke(walker: Walker) -> None:
    """画面63: what will be lost, who is it, and then it is final."""
    page = walker.page
    walker.go("/my/revoke")
    expect(page.get_by_role("main")).to_contain_text(f"{POINTS:,}")
    press(page, "失効の手続きへ進む")
    page.get_by_label("パスワード").first.fill(PASSWORD)
    press(page, "パスワードで確認する")
    expect(page.get_by_role("main")).to_contain_text("元に戻せません")
    press(page, "マイキーIDを失効する")
    expect(page.get_by_text("マイキーIDを失効しました。")).to_be_visible()
    walker.go("/my")
    expect(page).to_have_url(walker.url + "/login")
