"""What can go wrong, for programs and for people: problem details (RFC 9457) and business refusals."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict


class FieldError(BaseModel):
    """One fault in a request.

    `pointer` is a JSON pointer (RFC 6901) into the body, or `?<name>` for a query parameter; `code` is
    for programs, the sentences tell a person how to mend it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pointer: str
    code: str
    detail: str
    detail_ja: str


class Problem(BaseModel):
    """Problem details (RFC 9457).

    `type` ends in the code of `PROBLEMS`; `request_id` is the reference number to quote; `instance` is
    the same as a URN. `trace_id` is the trace it belongs to: the caller's own, where it sent a `traceparent`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    title: str
    title_ja: str
    status: int
    detail: str
    detail_ja: str
    instance: str
    request_id: str
    trace_id: str
    errors: list[FieldError] = []


class ProblemCode(StrEnum):
    """Why a request as a whole was not done."""

    bad_request = "bad_request"
    bad_json = "bad_json"
    bad_field = "bad_field"
    bad_query = "bad_query"
    bad_cursor = "bad_cursor"
    body_not_expected = "body_not_expected"
    idempotency_key = "idempotency_key"
    signature = "signature"
    login = "login"
    forbidden = "forbidden"
    not_found = "not_found"
    method_not_allowed = "method_not_allowed"
    body_timeout = "body_timeout"
    in_flight = "in_flight"
    state_conflict = "state_conflict"
    too_large = "too_large"
    media_type = "media_type"
    expectation = "expectation"
    id_conflict = "id_conflict"
    too_many = "too_many"
    internal = "internal"
    unavailable = "unavailable"
    busy = "busy"
    outcome_unknown = "outcome_unknown"


class ProblemText(NamedTuple):
    """A problem's HTTP status, its title, and what to do about it."""

    status: int
    title: str
    title_ja: str
    remedy: str
    remedy_ja: str


PROBLEMS: Final[Mapping[ProblemCode, ProblemText]] = {
    ProblemCode.bad_request: ProblemText(
        400,
        "The request is not well-formed HTTP",
        "HTTPリクエストの形式が正しくありません",
        "Send a well-formed HTTP/1.1 request.",
        "正しい形式のHTTP/1.1リクエストを送ってください。",
    ),
    ProblemCode.bad_json: ProblemText(
        400,
        "The body is not acceptable JSON",
        "本文が受け付けられるJSONではありません",
        "Send one JSON value in UTF-8, each key once, with no NaN, Infinity or control characters.",
        "UTF-8のJSONを1つだけ送ってください。同じキーの重複、NaN、Infinity、制御文字は使えません。",
    ),
    ProblemCode.bad_field: ProblemText(
        400,
        "Some fields are not as they must be",
        "入力項目に誤りがあります",
        "Mend the fields named in `errors` and send the request again.",
        "errorsに示された項目を直して、もう一度送ってください。",
    ),
    ProblemCode.bad_query: ProblemText(
        400,
        "The query is not as it must be",
        "クエリーパラメーターに誤りがあります",
        "Send only the documented query parameters, each once.",
        "仕様にあるパラメーターだけを、1回ずつ指定してください。",
    ),
    ProblemCode.bad_cursor: ProblemText(
        400,
        "The cursor is not one of ours",
        "カーソルの値が正しくありません",
        "Use the `next` value of the page before as it is, or begin again without a cursor.",
        "前のページのnextの値をそのまま使うか、カーソルなしで最初から取得してください。",
    ),
    ProblemCode.body_not_expected: ProblemText(
        400,
        "This request takes no body",
        "このリクエストに本文は付けられません",
        "Send the request without a body.",
        "本文を付けずに送ってください。",
    ),
    ProblemCode.idempotency_key: ProblemText(
        400,
        "The Idempotency-Key is missing or not as it must be",
        "Idempotency-Keyがないか、形式が正しくありません",
        "Send your own id of 1 to 64 characters out of A-Z a-z 0-9 . _ : - in the header Idempotency-Key.",
        "ヘッダーIdempotency-Keyに、半角英数字と . _ : - からなる64文字以内のIDを指定してください。",
    ),
    ProblemCode.signature: ProblemText(
        401,
        "The request's signature was not accepted",
        "リクエストの署名を確認できません",
        "Sign each request anew by RFC 9421 with your registered key.",
        "登録済みの鍵を使い、リクエストごとにRFC 9421で署名し直してください。",
    ),
    ProblemCode.login: ProblemText(
        401,
        "Please log in",
        "ログインが必要です",
        "Log in and try again.",
        "ログインしてから、もう一度お試しください。",
    ),
    ProblemCode.forbidden: ProblemText(
        403,
        "You may not do this",
        "この操作は許可されていません",
        "Ask the operator for the permission if you need it.",
        "必要な場合は、運用担当者に権限の付与を依頼してください。",
    ),
    ProblemCode.not_found: ProblemText(
        404,
        "There is nothing here for you",
        "該当するものがありません",
        "Check the address and the id.",
        "アドレスとIDを確認してください。",
    ),
    ProblemCode.method_not_allowed: ProblemText(
        405,
        "This address does not take that method",
        "このアドレスではそのメソッドは使えません",
        "Use one of the methods in the header Allow.",
        "Allowヘッダーにあるメソッドを使ってください。",
    ),
    ProblemCode.body_timeout: ProblemText(
        408,
        "The body came too slowly",
        "本文の送信に時間がかかりすぎました",
        "Send the request again over a better line; nothing was done.",
        "処理は行われていません。通信状態を確認して、もう一度送ってください。",
    ),
    ProblemCode.in_flight: ProblemText(
        409,
        "The same request is still under way",
        "同じリクエストを処理中です",
        "Ask again with the same id after the time in the header Retry-After.",
        "Retry-Afterの時間を待ってから、同じIDでもう一度お試しください。",
    ),
    ProblemCode.state_conflict: ProblemText(
        409,
        "Things are not in a state that allows this",
        "現在の状態ではこの操作を行えません",
        "Look at the present state, then decide anew.",
        "現在の状態を確認してから、あらためて操作してください。",
    ),
    ProblemCode.too_large: ProblemText(
        413,
        "The body is too large",
        "本文が大きすぎます",
        "Split it into smaller requests, or hand it in as a file.",
        "小さく分けて送るか、ファイルで提出してください。",
    ),
    ProblemCode.media_type: ProblemText(
        415,
        "The body is of a kind that is not taken here",
        "本文の形式を受け付けられません",
        "Send the documented media type in UTF-8, without a Content-Encoding.",
        "仕様にあるContent-TypeをUTF-8で、Content-Encodingを使わずに送ってください。",
    ),
    ProblemCode.expectation: ProblemText(
        417,
        "The expectation cannot be met",
        "Expectヘッダーの要求に応じられません",
        "Send no Expect header, or `Expect: 100-continue`.",
        "Expectヘッダーを外すか、100-continueを指定してください。",
    ),
    ProblemCode.id_conflict: ProblemText(
        422,
        "This id was used for another request",
        "このIDは別の内容のリクエストで使用済みです",
        "Give a new request a new id; repeat an old one exactly as it was.",
        "新しいリクエストには新しいIDを付け、再送は元と同じ内容で行ってください。",
    ),
    ProblemCode.too_many: ProblemText(
        429,
        "Too many requests",
        "リクエストが多すぎます",
        "Wait for the time in the header Retry-After.",
        "Retry-Afterの時間を待ってから、もう一度お試しください。",
    ),
    ProblemCode.internal: ProblemText(
        500,
        "Something went wrong on our side",
        "システムエラーが発生しました",
        "Ask again with the same id, which is safe; if it stays so, tell the operator the reference number.",
        "同じIDでの再送は安全です。解消しない場合は、受付番号を運用担当者にお知らせください。",
    ),
    ProblemCode.unavailable: ProblemText(
        503,
        "Not available just now",
        "一時的に利用できません",
        "Nothing was done. Ask again with the same id after the time in the header Retry-After.",
        "処理は行われていません。Retry-Afterの時間を待ってから、同じIDでもう一度お試しください。",
    ),
    ProblemCode.busy: ProblemText(
        503,
        "Very many are asking just now",
        "ただいま大変混み合っています",
        "Nothing was done. Ask again after the time in the header Retry-After.",
        "処理は行われていません。Retry-Afterの時間を待ってから、もう一度お試しください。",
    ),
    ProblemCode.outcome_unknown: ProblemText(
        503,
        "No answer in time: whether it took effect is unknown",
        "時間内に結果を確認できませんでした",
        "Ask again with the same id, which is safe: you get the one outcome, and nothing is done twice.",
        "処理が完了したかどうかは不明です。同じIDで再送してください。二重に処理されることはありません。",
    ),
}
"""Code → status, title and what to do."""


def problem_type(code: ProblemCode) -> str:
    """The `type` of a problem: its place on the API's own reference page."""
    return f"/api/#problem-{code.value}"


class RefusalCode(StrEnum):
    """Why a business request, well-formed or not, was decided against. An id once refused stays refused."""

    address_notice_not_asked = "address_notice_not_asked"
    already_linked = "already_linked"
    bad_code = "bad_code"
    bad_id = "bad_id"
    bad_key = "bad_key"
    bad_link = "bad_link"
    bad_merge_key = "bad_merge_key"
    bad_number = "bad_number"
    bad_period = "bad_period"
    bad_points = "bad_points"
    bad_row = "bad_row"
    bad_rule = "bad_rule"
    bad_time = "bad_time"
    bad_to = "bad_to"
    bad_voucher = "bad_voucher"
    bad_voucher_day = "bad_voucher_day"
    card_bad_signature = "card_bad_signature"
    card_expired = "card_expired"
    card_has_mykey_id = "card_has_mykey_id"
    card_needs_pin = "card_needs_pin"
    card_not_proven = "card_not_proven"
    card_not_valid_yet = "card_not_valid_yet"
    card_removed = "card_removed"
    card_revoked = "card_revoked"
    card_standing_unknown = "card_standing_unknown"
    card_superseded = "card_superseded"
    card_unknown_issuer = "card_unknown_issuer"
    card_unreadable = "card_unreadable"
    card_without_mykey_id = "card_without_mykey_id"
    card_wrong_certificate = "card_wrong_certificate"
    citizen_revoked = "citizen_revoked"
    comment_missing = "comment_missing"
    confirm_again = "confirm_again"
    corrected_before = "corrected_before"
    done_before = "done_before"
    event_closed = "event_closed"
    hold_exists = "hold_exists"
    hold_expired = "hold_expired"
    hold_resolved = "hold_resolved"
    id_conflict = "id_conflict"
    insufficient_points = "insufficient_points"
    link_taken = "link_taken"
    linking_declined = "linking_declined"
    linking_over = "linking_over"
    linking_unproven = "linking_unproven"
    log_in_failed = "log_in_failed"
    merge_answered = "merge_answered"
    merge_file_exists = "merge_file_exists"
    merge_folder_failed = "merge_folder_failed"
    merge_folder_full = "merge_folder_full"
    merge_folder_missing = "merge_folder_missing"
    merge_folder_none = "merge_folder_none"
    merge_folder_read_only = "merge_folder_read_only"
    merge_perhaps_there = "merge_perhaps_there"
    missing_field = "missing_field"
    mykey_id_not_kept = "mykey_id_not_kept"
    mykey_id_taken = "mykey_id_taken"
    no_card = "no_card"
    no_checkout = "no_checkout"
    no_coupon = "no_coupon"
    no_event = "no_event"
    no_hold = "no_hold"
    no_linkage = "no_linkage"
    no_merge = "no_merge"
    no_merge_key = "no_merge_key"
    no_number = "no_number"
    no_party_key = "no_party_key"
    no_plan = "no_plan"
    no_posting = "no_posting"
    no_referral = "no_referral"
    no_scheme = "no_scheme"
    no_session = "no_session"
    no_street = "no_street"
    no_street_signer = "no_street_signer"
    no_service_id = "no_service_id"
    no_voucher = "no_voucher"
    not_applied = "not_applied"
    not_approved = "not_approved"
    not_at_this_terminal = "not_at_this_terminal"
    not_captured = "not_captured"
    not_correctable = "not_correctable"
    not_handed_on = "not_handed_on"
    not_jpki = "not_jpki"
    not_usable_here = "not_usable_here"
    nothing_due = "nothing_due"
    number_taken = "number_taken"
    number_unknown = "number_unknown"
    offer_changed = "offer_changed"
    offer_older = "offer_older"
    offer_sent_back = "offer_sent_back"
    one_person = "one_person"
    operation_over = "operation_over"
    other_citizen = "other_citizen"
    over_checkout = "over_checkout"
    over_day_limit = "over_day_limit"
    party_away = "party_away"
    password_common = "password_common"  # noqa: S105 - a code
    password_long = "password_long"  # noqa: S105 - a code
    password_short = "password_short"  # noqa: S105 - a code
    pin_blocked = "pin_blocked"
    pin_wrong = "pin_wrong"
    pool_not_agreed = "pool_not_agreed"
    read_cancelled = "read_cancelled"
    read_timeout = "read_timeout"
    reader_failed = "reader_failed"
    referral_state = "referral_state"
    refund_limit = "refund_limit"
    same_pool = "same_pool"
    scheme_closed = "scheme_closed"
    terminal_busy = "terminal_busy"
    too_many_tries = "too_many_tries"
    same_card_needed = "same_card_needed"
    service_id_exists = "service_id_exists"
    signature_password_blocked = "signature_password_blocked"  # noqa: S105 - a code
    signature_password_wrong = "signature_password_wrong"  # noqa: S105 - a code
    terminal_away = "terminal_away"
    terminal_gone = "terminal_gone"
    terminal_login = "terminal_login"
    terminal_suspended = "terminal_suspended"
    terminal_unproven = "terminal_unproven"
    tries_used_up = "tries_used_up"
    unknown_citizen = "unknown_citizen"
    unknown_field = "unknown_field"
    unknown_issuer = "unknown_issuer"
    unknown_link = "unknown_link"
    unknown_offer = "unknown_offer"
    unknown_party = "unknown_party"
    unknown_store = "unknown_store"
    unknown_street = "unknown_street"
    unknown_terminal = "unknown_terminal"
    voucher_expired = "voucher_expired"
    voucher_used = "voucher_used"
    wrong_issuer = "wrong_issuer"


class RefusalText(NamedTuple):
    """One refusal in English and Japanese: what is wrong, and what to do."""

    detail: str
    detail_ja: str


REFUSALS: Final[Mapping[RefusalCode, RefusalText]] = {
    RefusalCode.address_notice_not_asked: RefusalText(
        "Address-change notice was not asked for when the card was read. Begin anew with it.",
        "住所変更通知の申込みなしでカードが読み取られています。住所変更通知ありで最初からやり直してください。",
    ),
    RefusalCode.already_linked: RefusalText(
        "Another account of this service is already linked to this MyKey ID. Undo that link first.",
        "このマイキーIDには、このサービスの別のアカウントがすでに連携されています。先にその連携を解除してください。",
    ),
    RefusalCode.bad_code: RefusalText(
        "The municipality code is not six digits with a right check digit. Check the code.",
        "自治体コードが6桁の数字でないか、検査数字が合いません。コードを確認してください。",
    ),
    RefusalCode.bad_id: RefusalText(
        "The id must be 1 to 64 characters out of A-Z a-z 0-9 . _ : - (no others, no spaces).",
        "IDは半角英数字と . _ : - からなる1～64文字で指定してください。",
    ),
    RefusalCode.bad_key: RefusalText(
        "The key must be an Ed25519 public key of 32 bytes or an HMAC secret of 32 to 128 bytes.",
        "鍵は32バイトのEd25519公開鍵か、32～128バイトのHMAC秘密鍵で指定してください。",
    ),
    RefusalCode.bad_link: RefusalText(
        "The link id must be 1 to 64 characters out of A-Z a-z 0-9 . _ : - (no others, no spaces).",
        "連携IDは半角英数字と . _ : - からなる1～64文字で指定してください。",
    ),
    RefusalCode.bad_merge_key: RefusalText(
        "The key does not fit the street's mode: check its length, the secret, and the MAC key.",
        "鍵が商店街の暗号方式に合いません。鍵の長さ、固定文字列、MAC鍵を確認してください。",
    ),
    RefusalCode.bad_number: RefusalText(
        "The card number does not fit its issuer. Type it again, or read the card.",
        "カード番号の形式が、選んだ発行者のものと異なります。番号を確認して、もう一度入力してください。",
    ),
    RefusalCode.bad_period: RefusalText(
        "The last day must not be before the first.",
        "終了日は開始日以降の日を指定してください。",
    ),
    RefusalCode.bad_points: RefusalText(
        "Points must be a whole number from 1 to 999999999 in ASCII digits.",
        "ポイントは1以上999999999以下の整数を半角数字で指定してください。",
    ),
    RefusalCode.bad_row: RefusalText(
        "The row cannot be read as one transfer. Check its columns, quotes and characters.",
        "行を移行データとして読み取れません。列の数、引用符、文字を確認してください。",
    ),
    RefusalCode.bad_rule: RefusalText(
        "The expiry rule must be `none`, `months:N` or `date:YYYY-MM-DD` with a day that exists.",
        "有効期限はnone、months:月数、date:YYYY-MM-DD（実在する日付）のいずれかで指定してください。",
    ),
    RefusalCode.bad_time: RefusalText(
        "The time must be ISO 8601 with an offset, such as 2017-10-01T09:00:00+09:00.",
        "日時は2017-10-01T09:00:00+09:00のように、時差付きのISO 8601形式で指定してください。",
    ),
    RefusalCode.bad_to: RefusalText(
        "The destination must be `reserve`, `scheme:<municipality code>` or `event:<event id>`.",
        "移行先はreserve、scheme:<自治体コード>、event:<イベントID>のいずれかで指定してください。",
    ),
    RefusalCode.bad_voucher: RefusalText(
        "This is no voucher. Read the QR, or type the number and the check code that are printed on it.",
        "ポイント券として読み取れません。QRコードを読み取るか、券面の発券番号と確認コードを入力してください。",
    ),
    RefusalCode.bad_voucher_day: RefusalText(
        "A voucher's last day is today or one of the next days, 30 with today at the most.",
        "ポイント券の有効期限は、本日から30日以内の日を指定してください。",
    ),
    RefusalCode.card_bad_signature: RefusalText(
        "The card's signature is not right. Take the card out, put it in again, and start anew.",
        "カードの署名を確認できませんでした。カードを抜いて入れ直し、最初からやり直してください。",
    ),
    RefusalCode.card_expired: RefusalText(
        "The card's user-authentication certificate has expired. Have it renewed at the municipal office.",
        "利用者証明用電子証明書の有効期限が切れています。市区町村の窓口で更新してください。",
    ),
    RefusalCode.card_has_mykey_id: RefusalText(
        "This card already has a MyKey ID. Log in with it.",
        "このカードではすでにマイキーIDが作成されています。そのマイキーIDでログインしてください。",
    ),
    RefusalCode.card_needs_pin: RefusalText(
        "This needs the card and its PIN. Put the card in and type the PIN.",
        "この手続きには暗証番号の入力が必要です。カードを入れて暗証番号を入力してください。",
    ),
    RefusalCode.card_not_proven: RefusalText(
        "The card was not read for this, or too long ago, or it was used for it already. Read it again.",
        "カードの読み取りが済んでいないか、時間が過ぎたか、すでに使用されています。もう一度カードを読み取ってください。",
    ),
    RefusalCode.card_not_valid_yet: RefusalText(
        "The card's certificate is not valid yet. Try again on its first day.",
        "利用者証明用電子証明書の有効期間が始まっていません。有効期間の開始日以降にご利用ください。",
    ),
    RefusalCode.card_removed: RefusalText(
        "The card was taken out, or another one put in. Begin anew.",
        "カードが抜かれたか、別のカードに替わりました。最初からやり直してください。",
    ),
    RefusalCode.card_revoked: RefusalText(
        "The card's certificate was revoked. Ask at the municipal office.",
        "利用者証明用電子証明書は失効しています。市区町村の窓口にお問い合わせください。",
    ),
    RefusalCode.card_standing_unknown: RefusalText(
        "Nobody answers now whether this card replaces an older one. Nothing was done. Try again later.",
        "カードの発行状況を確認できません。手続きは行われていません。時間をおいて、もう一度手続きしてください。",
    ),
    RefusalCode.card_superseded: RefusalText(
        "This card was replaced by a newer one. Use the new card.",
        "このカードは新しいカードに切り替わっています。新しいカードをお使いください。",
    ),
    RefusalCode.card_unknown_issuer: RefusalText(
        "The card's certificate was issued by nobody known here. Use a My Number Card.",
        "証明書の発行者を確認できません。マイナンバーカードをお使いください。",
    ),
    RefusalCode.card_unreadable: RefusalText(
        "The card's certificate cannot be read. Put the card in again.",
        "カードの証明書を読み取れませんでした。カードを入れ直してください。",
    ),
    RefusalCode.card_without_mykey_id: RefusalText(
        "This card has no MyKey ID yet. Make one first.",
        "このカードにはマイキーIDがありません。先にマイキーIDを作成してください。",
    ),
    RefusalCode.card_wrong_certificate: RefusalText(
        "This is not a user-authentication certificate that is taken here. Use a My Number Card.",
        "利用者証明用電子証明書ではありません。マイナンバーカードをお使いください。",
    ),
    RefusalCode.citizen_revoked: RefusalText(
        "This MyKey ID was revoked; no points can be moved to it or from it.",
        "このマイキーIDは失効しているため、ポイントを移行・利用できません。",
    ),
    RefusalCode.comment_missing: RefusalText(
        "Say in a comment what is to be changed.",
        "差し戻す理由をコメントに入力してください。",
    ),
    RefusalCode.confirm_again: RefusalText(
        "Confirm who you are again first: by card and PIN, or by password.",
        "先に、カードと暗証番号、またはパスワードで本人確認をもう一度行ってください。",
    ),
    RefusalCode.corrected_before: RefusalText(
        "This posting was already corrected. Look at the correction.",
        "この記録はすでに訂正済みです。訂正の記録を確認してください。",
    ),
    RefusalCode.done_before: RefusalText(
        "What was asked for before was done after all. Look at its receipt or paper, and begin anew for more.",
        "先に送った内容で処理が済んでいます。レシートまたはポイント券を確認し、続ける場合は初めからやり直してください。",
    ),
    RefusalCode.event_closed: RefusalText(
        "The support event is not within its service period.",
        "特定支援イベントの実施期間外です。",
    ),
    RefusalCode.hold_exists: RefusalText(
        "This id was used before for other points set aside. Give a new request a new id.",
        "このIDはすでに使用されています。新しい依頼には新しいIDを付けてください。",
    ),
    RefusalCode.hold_expired: RefusalText(
        "The time to capture these points is over; they are the citizen's again. Authorise anew.",
        "利用確定の期限が過ぎたため、ポイントは利用者に戻りました。もう一度ポイントの確保（オーソリ）からやり直してください。",
    ),
    RefusalCode.hold_resolved: RefusalText(
        "These points were already captured, voided, acknowledged or returned.",
        "このポイントは、すでに確定または取り消し済みです。",
    ),
    RefusalCode.id_conflict: RefusalText(
        "This id was used before for another request. Give a new request a new id.",
        "このIDは別の内容で使用済みです。新しい依頼には新しいIDを付けてください。",
    ),
    RefusalCode.insufficient_points: RefusalText(
        "There are fewer points than asked for. Choose a smaller amount.",
        "ポイントが足りません。ポイント数を減らしてください。",
    ),
    RefusalCode.link_taken: RefusalText(
        "This account is already linked to another MyKey ID. Check the account.",
        "このアカウントは、別のマイキーIDにすでに連携されています。アカウントを確認してください。",
    ),
    RefusalCode.linking_declined: RefusalText(
        "The log-in at the service was broken off, or it did not agree. Nothing was linked.",
        "サービスのページでの手続きが中止されたため、連携していません。もう一度、最初から手続きしてください。",
    ),
    RefusalCode.linking_over: RefusalText(
        "This linking has ended, or was begun elsewhere. Nothing was linked. Begin again from the list of services.",
        "この連携の手続きは終わっているか、別の画面で始められたものです。連携していません。連携サービスの一覧から、もう一度始めてください。",
    ),
    RefusalCode.linking_unproven: RefusalText(
        "The service's answer could not be verified. Nothing was linked. Try again later, or ask the service.",
        "サービスからの回答を確認できなかったため、連携していません。時間をおいてやり直すか、サービスの窓口へお問い合わせください。",
    ),
    RefusalCode.log_in_failed: RefusalText(
        "The MyKey ID or the password is not right. Check both.",
        "マイキーIDまたはパスワードが正しくありません。確認してもう一度入力してください。",
    ),
    RefusalCode.merge_answered: RefusalText(
        "The street has answered this merge already. Nothing is left to do.",
        "この合算には商店街がすでに応答しています。操作は不要です。",
    ),
    RefusalCode.merge_file_exists: RefusalText(
        "Another file has the merge file's name. Have it looked at and removed from the folder.",
        "同じ名前の別のファイルが受渡しフォルダにあります。確認して移動してください。",
    ),
    RefusalCode.merge_folder_failed: RefusalText(
        "The merge file could not be written. Check the terminal's disk; it is tried again by itself.",
        "合算ポイントファイルを書き込めませんでした。端末のディスクを確認してください。自動で再試行します。",
    ),
    RefusalCode.merge_folder_full: RefusalText(
        "The disk of the merge folder is full. Make room; the file comes by itself.",
        "受渡しフォルダの空き容量がありません。空きを作ると自動で届きます。",
    ),
    RefusalCode.merge_folder_missing: RefusalText(
        "The merge folder is not there. Check the folder or share; the file comes by itself.",
        "受渡しフォルダが見つかりません。フォルダや共有ドライブを確認してください。直ると自動で届きます。",
    ),
    RefusalCode.merge_folder_none: RefusalText(
        "The terminal has no merge folder. Set merge_folder in its agent.toml; the file comes by itself.",
        "この端末に受渡しフォルダが設定されていません。agent.tomlのmerge_folderを設定すると自動で届きます。",
    ),
    RefusalCode.merge_folder_read_only: RefusalText(
        "The merge folder cannot be written to. Give the agent the right; the file comes by itself.",
        "受渡しフォルダに書き込めません。権限を確認してください。直ると自動で届きます。",
    ),
    RefusalCode.merge_perhaps_there: RefusalText(
        "The file is at the street, or may be. Ask the street: where it has not added the points, have it remove the "
        "file, and give them back with --street-confirmed.",
        "ファイルが商店街に届いている可能性があります。加算していないことを商店街に確認し、ファイルを削除してもらってから、"
        "--street-confirmedを付けて返却してください。",
    ),
    RefusalCode.missing_field: RefusalText(
        "A field that must be there is missing.",
        "必須の項目がありません。",
    ),
    RefusalCode.mykey_id_not_kept: RefusalText(
        "This MyKey ID is not, or no longer, kept for this enrolment. Choose one again.",
        "このマイキーIDは確保されていないか、確保の期限が過ぎました。もう一度選び直してください。",
    ),
    RefusalCode.mykey_id_taken: RefusalText(
        "This MyKey ID is in use or was used before. Choose another one.",
        "このマイキーIDは使用中か、過去に使用されています。別のIDを選んでください。",
    ),
    RefusalCode.no_card: RefusalText(
        "No card was put in. Put it in and begin anew.",
        "カードが挿入されませんでした。カードを入れて最初からやり直してください。",
    ),
    RefusalCode.no_checkout: RefusalText(
        "The time to decide on this order is over. Go back to the shop and begin again.",
        "この注文の手続きの有効時間が過ぎました。ショップに戻って、もう一度手続きしてください。",
    ),
    RefusalCode.no_coupon: RefusalText(
        "This coupon number cannot be used. Check it.",
        "このクーポン番号は利用できません。番号を確認してください。",
    ),
    RefusalCode.no_event: RefusalText(
        "There is no such support event. Check the event id.",
        "該当する特定支援イベントがありません。イベントIDを確認してください。",
    ),
    RefusalCode.no_hold: RefusalText(
        "There are no such points set aside. Check the id.",
        "該当する確保済みのポイントがありません。IDを確認してください。",
    ),
    RefusalCode.no_linkage: RefusalText(
        "This service cannot be linked here yet. Ask the service how points are moved.",
        "このサービスはまだID連携の準備ができていません。サービスの窓口へお問い合わせください。",
    ),
    RefusalCode.no_merge: RefusalText(
        "There is no such merge. Check the transaction number.",
        "その合算はありません。取引済番号を確認してください。",
    ),
    RefusalCode.no_merge_key: RefusalText(
        "The street has no key that is valid now. The ministry's operator has to register one.",
        "商店街の有効な鍵がありません。運営担当者に鍵の登録を依頼してください。",
    ),
    RefusalCode.no_number: RefusalText(
        "All voucher numbers offered are taken. Try again.",
        "発券番号を確保できませんでした。もう一度お試しください。",
    ),
    RefusalCode.no_party_key: RefusalText(
        "This party has no key of that id. Check the ids with `mykey-hub parties show`.",
        "この事業者にそのIDの鍵はありません。`mykey-hub parties show`でIDを確認してください。",
    ),
    RefusalCode.no_plan: RefusalText(
        "This municipality has filed no plan of its terminals. File one first.",
        "この自治体の端末の設置計画（様式I）が登録されていません。先に登録してください。",
    ),
    RefusalCode.no_posting: RefusalText(
        "There is no such posting of this citizen. Check the id.",
        "該当する記録がありません。IDを確認してください。",
    ),
    RefusalCode.no_referral: RefusalText(
        "No such business was referred. Check the id.",
        "該当する事業の紹介がありません。IDを確認してください。",
    ),
    RefusalCode.no_scheme: RefusalText(
        "This municipality has no municipal points. Choose another destination.",
        "この自治体には自治体ポイントがありません。別の移行先を選んでください。",
    ),
    RefusalCode.no_session: RefusalText(
        "You are not logged in, or no longer. Log in again.",
        "ログインしていないか、ログインの有効時間が過ぎました。もう一度ログインしてください。",
    ),
    RefusalCode.no_street: RefusalText(
        "This terminal belongs to no street that merges points. Use a terminal of the street.",
        "この端末は合算できる商店街の端末ではありません。商店街の端末をご利用ください。",
    ),
    RefusalCode.no_street_signer: RefusalText(
        "The street has no signing key of that id. Check the id under which it was registered.",
        "この商店街にそのIDの署名鍵はありません。登録時のIDを確認してください。",
    ),
    RefusalCode.no_service_id: RefusalText(
        "The citizen has no number of this issuer.",
        "この発行者のサービスIDは登録されていません。",
    ),
    RefusalCode.no_voucher: RefusalText(
        "This voucher cannot be found. Check the number and the check code.",
        "該当するポイント券がありません。発券番号と確認コードを確認してください。",
    ),
    RefusalCode.not_applied: RefusalText(
        "This municipality does not use this shop or fund. Ask it to apply first.",
        "この自治体は、このショップ等の利用を申し込んでいません。先に申し込みを依頼してください。",
    ),
    RefusalCode.not_approved: RefusalText(
        "The municipality has not approved what is bought for its points. Use other points, or none.",
        "この商品等は、選択した自治体ポイントの対象として承認されていません。別のポイントを選ぶか、ほかの方法でお支払いください。",
    ),
    RefusalCode.not_at_this_terminal: RefusalText(
        "This terminal is not for that. Use one that is planned for it.",
        "この端末では行えない手続きです。その手続き用の端末をご利用ください。",
    ),
    RefusalCode.not_captured: RefusalText(
        "Nothing was captured, so nothing can be refunded.",
        "利用が確定していないため、返還できません。",
    ),
    RefusalCode.not_correctable: RefusalText(
        "This kind of posting is not reversed by a correction.",
        "この種類の記録は訂正の対象外です。",
    ),
    RefusalCode.not_handed_on: RefusalText(
        "The number could not be handed to the program beside. Look at that program, and try again.",
        "番号を窓口のシステムに渡せませんでした。そのシステムの画面を確認して、もう一度お試しください。",
    ),
    RefusalCode.not_jpki: RefusalText(
        "This is no My Number Card. Put the My Number Card in and begin anew.",
        "マイナンバーカードではありません。マイナンバーカードを入れて最初からやり直してください。",
    ),
    RefusalCode.not_usable_here: RefusalText(
        "These points cannot be used at this place.",
        "このポイントは、この端末（店舗）では利用できません。",
    ),
    RefusalCode.nothing_due: RefusalText(
        "Nothing is due: there are no such points, or their day has not come.",
        "対象となるポイントがないか、まだ期日になっていません。",
    ),
    RefusalCode.number_taken: RefusalText(
        "This card number is registered already. Check the card and the number.",
        "このカード番号はすでに登録されています。カードと番号を確認してください。",
    ),
    RefusalCode.number_unknown: RefusalText(
        "The library does not know this card number. Check the card and the number.",
        "図書館システムに該当するカード番号がありません。カードと番号を確認してください。",
    ),
    RefusalCode.offer_changed: RefusalText(
        "The offer was changed meanwhile. Look at it again.",
        "商品等の内容が変更されています。もう一度内容を確認してください。",
    ),
    RefusalCode.offer_older: RefusalText(
        "A higher revision of this offer was posted before; this one changed nothing.",
        "この商品等は、より新しい版が登録されています。この版は反映されません。",
    ),
    RefusalCode.offer_sent_back: RefusalText(
        "The municipality has sent this offer back. Change it as the comment says, post it under a higher revision, "
        "and open the business once it is approved.",
        "この商品等は自治体から差し戻されています。コメントに沿って内容を修正し、新しい版を登録してください。"
        "承認された後に、募集を開始できます。",
    ),
    RefusalCode.one_person: RefusalText(
        "A correction is asked for by one person and approved by another, who has not added the first as an operator.",
        "訂正は、申請者とは別の人で、申請者を運用担当者として追加していない人が承認してください。",
    ),
    RefusalCode.operation_over: RefusalText(
        "The operation is over and cannot be resumed. Begin a new one with the card.",
        "この手続きは終了しており、再開できません。カードを読み取って新しく始めてください。",
    ),
    RefusalCode.other_citizen: RefusalText(
        "This card belongs to another MyKey ID. Use your own card.",
        "別のマイキーIDのカードです。ご本人のカードをお使いください。",
    ),
    RefusalCode.over_checkout: RefusalText(
        "The shop asks for fewer points for this order. Choose a smaller amount.",
        "この注文で利用できるポイント数を超えています。ポイント数を減らしてください。",
    ),
    RefusalCode.over_day_limit: RefusalText(
        "More points than may be used at one shop in a day. Choose a smaller amount, or wait for tomorrow.",
        "1日に1つの店舗で利用できるポイント数を超えます。ポイント数を減らすか、翌日以降にご利用ください。",
    ),
    RefusalCode.party_away: RefusalText(
        "The service does not answer now. Nothing was done. Try again later.",
        "サービスにつながりません。手続きは行われていません。時間をおいて、もう一度手続きしてください。",
    ),
    RefusalCode.password_common: RefusalText(
        "This password is made of words that everybody tries. Put in more that only you would think of.",
        "よく使われる言葉や地名が中心のため、このパスワードは使えません。ほかの人が思いつかない文字を加えてください。",
    ),
    RefusalCode.password_long: RefusalText(
        "The password is longer than 1,024 characters. Choose a shorter one.",
        "パスワードは1,024文字以内で入力してください。",
    ),
    RefusalCode.password_short: RefusalText(
        "The password must have at least 12 characters; any characters will do.",
        "パスワードは12文字以上で入力してください。使う文字の種類は自由です。",
    ),
    RefusalCode.pin_blocked: RefusalText(
        "The card's PIN is blocked. Have it reset at the municipal office.",
        "暗証番号がロックされています。市区町村の窓口で再設定してください。",
    ),
    RefusalCode.pin_wrong: RefusalText(
        "The PIN was wrong. Check it and begin anew.",
        "暗証番号が違います。確認して最初からやり直してください。",
    ),
    RefusalCode.pool_not_agreed: RefusalText(
        "Points for this destination were not agreed with you. Ask the operator if you need it.",
        "この移行先へのポイント移行は取り決められていません。必要な場合は運用担当者に依頼してください。",
    ),
    RefusalCode.read_cancelled: RefusalText(
        "The reading was cancelled. Begin anew.",
        "読み取りが取り消されました。最初からやり直してください。",
    ),
    RefusalCode.read_timeout: RefusalText(
        "Nothing was read in time. Begin anew.",
        "時間内に読み取れませんでした。最初からやり直してください。",
    ),
    RefusalCode.reader_failed: RefusalText(
        "The card reader does not work or the card cannot be read. Look at both and begin anew.",
        "カードリーダーまたはカードを読み取れません。両方を確認して最初からやり直してください。",
    ),
    RefusalCode.referral_state: RefusalText(
        "This business is not at that step, or past it. Look at how far it is.",
        "この事業は、その手続きの段階にありません。現在の状況を確認してください。",
    ),
    RefusalCode.refund_limit: RefusalText(
        "More would come back than was captured. Choose a smaller amount.",
        "確定したポイントを超えて返還することはできません。ポイント数を減らしてください。",
    ),
    RefusalCode.same_pool: RefusalText(
        "The points are already there. Choose another destination.",
        "移行元と移行先が同じです。別の移行先を選んでください。",
    ),
    RefusalCode.scheme_closed: RefusalText(
        "Points of this municipality have passed their expiry date. Choose another destination.",
        "この自治体ポイントは有効期限を過ぎています。別の移行先を選んでください。",
    ),
    RefusalCode.terminal_busy: RefusalText(
        "This terminal is busy with another reading. Wait a moment and try again.",
        "この端末は別の読み取りを処理中です。少し待ってからもう一度お試しください。",
    ),
    RefusalCode.too_many_tries: RefusalText(
        "There were too many failed tries. Wait a quarter of an hour, or log in with your card.",
        "失敗が続いたため受け付けられません。15分ほど待つか、カードでログインしてください。",
    ),
    RefusalCode.same_card_needed: RefusalText(
        "The card that was read first is not in. Put that very card in and press the button again.",
        "最初に読み取ったカードがセットされていません。同じカードをセットして、もう一度ボタンを押してください。",
    ),
    RefusalCode.service_id_exists: RefusalText(
        "The citizen has another number of this issuer. Confirm that the new one replaces it.",
        "この利用者には、同じ発行者の別の番号が登録されています。置き換えてよいか確認してください。",
    ),
    RefusalCode.signature_password_blocked: RefusalText(
        "The signature certificate's password is blocked; the PIN is fine. Have the password reset at the municipal "
        "office. Registering is possible without address-change notice.",
        "署名用パスワードがロックされています。市区町村の窓口で再設定してください。住所変更通知なしでも登録できます。",
    ),
    RefusalCode.signature_password_wrong: RefusalText(
        "The signature certificate's password was wrong; the PIN is fine. Check it and begin anew. Registering is "
        "possible without address-change notice.",
        "署名用パスワードが違います。確認して最初からやり直してください。住所変更通知なしでも登録できます。",
    ),
    RefusalCode.terminal_away: RefusalText(
        "This terminal's card reader program is not connected. See that it runs and has a network.",
        "この端末のカード読取ソフトが接続されていません。ソフトが起動しているか、ネットワークを確認してください。",
    ),
    RefusalCode.terminal_gone: RefusalText(
        "The connection to the card reader program was lost meanwhile. Begin again.",
        "処理の途中でカード読取ソフトとの接続が切れました。最初からやり直してください。",
    ),
    RefusalCode.terminal_suspended: RefusalText(
        "This terminal is suspended. Ask the municipality to let it in again.",
        "この端末は利用を停止しています。自治体の担当者に再開を依頼してください。",
    ),
    RefusalCode.terminal_unproven: RefusalText(
        "This terminal could not prove who it is. If that does not end by itself, enrol it anew.",
        "端末の確認ができませんでした。繰り返す場合は、端末を登録し直してください。",
    ),
    RefusalCode.terminal_login: RefusalText(
        "The terminal ID and the one-time password do not fit, or the password was used before. Check both; if they "
        "are as on the paper, ask the municipality for a new password.",
        "端末IDとワンタイムパスワードの組み合わせが正しくないか、使用済みです。配布された用紙のとおりに入力しても登録できない場合は、"
        "自治体の担当者に新しいパスワードの発行を依頼してください。",
    ),
    RefusalCode.tries_used_up: RefusalText(
        "The tries are used up. A MyKey ID can now only be made automatically.",
        "確認できる回数を超えました。マイキーIDは自動生成で作成してください。",
    ),
    RefusalCode.unknown_citizen: RefusalText(
        "There is no such MyKey ID. Check it.",
        "該当するマイキーIDがありません。確認してください。",
    ),
    RefusalCode.unknown_field: RefusalText(
        "There is a field that is not in the specification. Leave it out.",
        "仕様にない項目があります。取り除いてください。",
    ),
    RefusalCode.unknown_issuer: RefusalText(
        "There is no such issuer of card numbers. Check its id.",
        "該当するID付与事業者がありません。IDを確認してください。",
    ),
    RefusalCode.unknown_link: RefusalText(
        "No citizen is linked under this link id. Check it, or have the citizen link again.",
        "この連携IDで連携している利用者はいません。確認するか、利用者に再度の連携を依頼してください。",
    ),
    RefusalCode.unknown_offer: RefusalText(
        "There is no such product or fund. Check its id.",
        "該当する商品等がありません。IDを確認してください。",
    ),
    RefusalCode.unknown_party: RefusalText(
        "There is no such partner. Check its id.",
        "該当する事業者がありません。事業者のIDを確認してください。",
    ),
    RefusalCode.unknown_store: RefusalText(
        "There is no such store. Check its id.",
        "該当する店舗がありません。店舗のIDを確認してください。",
    ),
    RefusalCode.unknown_street: RefusalText(
        "There is no such street. Check its id.",
        "その商店街は登録されていません。IDを確認してください。",
    ),
    RefusalCode.unknown_terminal: RefusalText(
        "There is no such terminal. Check the terminal ID.",
        "該当する端末がありません。端末IDを確認してください。",
    ),
    RefusalCode.voucher_expired: RefusalText(
        "This voucher has passed its last day.",
        "このポイント券は有効期限を過ぎています。",
    ),
    RefusalCode.voucher_used: RefusalText(
        "This voucher was already redeemed.",
        "このポイント券はすでに使用済みです。",
    ),
    RefusalCode.wrong_issuer: RefusalText(
        "This terminal was planned for another service-ID issuer. Give the issuer ID that is on the paper.",
        "この端末は別のID付与事業者用に計画されています。配布された用紙のID付与事業者の番号を入力してください。",
    ),
}
"""Code → sentences."""


class Refusal(BaseModel):
    """A refusal as it is told: the code for programs, the sentences for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: RefusalCode
    detail: str
    detail_ja: str

    @classmethod
    def of(cls, code: str) -> "Refusal":
        """Look the sentences up. Raises ValueError for a code that is not in the catalogue."""
        known = RefusalCode(code)
        return cls(code=known, detail=REFUSALS[known].detail, detail_ja=REFUSALS[known].detail_ja)
