"""What the agent's page shows, as HTML that works without JavaScript; Japanese, for citizens and clerks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from string import Template
from typing import Final, Literal, TypeAlias
from uuid import UUID

from reader_agent.enrolment_fields import CONTACT_FIELDS, FIELDS
from schemas.terminals import MEANINGS, EnrolmentAnswer
from schemas.uplink import MergeTrouble

REFRESH_S: Final = 2
TRIES_WORTH_A_WARNING: Final = 3

PURPOSES: Final[Mapping[str, str]] = {
    "create-mykey-id": "マイキーIDの作成",
    "change-mykey-id": "マイキーIDの変更",
    "revoke-mykey-id": "マイキーIDの失効",
    "register-service-id": "サービスIDの登録",
    "look-up-service-id": "サービスIDの照会",
    "log-in": "マイページへのログイン",
    "use-points": "ポイントの利用",
    "issue-voucher": "ポイント券の発行",
    "merge-points": "商店街ポイント合算",
}
_ANY_PURPOSE: Final = "本人確認"
UplinkState: TypeAlias = Literal[
    "off",
    "connecting",
    "on",
    "suspended",
    "refused",
    "no_fingerprint",
    "no_authority",
    "open_to_others",
    "failed",
]
_UPLINKS: Final[Mapping[UplinkState, str]] = {
    "off": "未接続",
    "connecting": "接続しています",
    "on": "接続中",
    "suspended": "停止中です。自治体の担当者に連絡してください",
    "refused": "接続を拒否されました。自治体の担当者に連絡してください",
    "no_fingerprint": "この端末の情報を読み取れません。自動でやり直しています。続くときは管理者に連絡してください",
    "no_authority": "センターの証明書ファイル（hub_ca_file）を読み取れません。管理者に連絡してください",
    "open_to_others": "鍵ファイルを他の利用者が読める状態です。管理者に連絡してください",
    "failed": "接続できません。自動でやり直しています。続くときは管理者に連絡してください",
}


_MERGE_TROUBLES: Final[Mapping[MergeTrouble | None, str]] = {
    None: "使えます",
    MergeTrouble.missing: "見つかりません。フォルダや共有ドライブを確認してください",
    MergeTrouble.read_only: "書き込めません。フォルダの権限を確認してください",
    MergeTrouble.full: "空き容量がありません。不要なファイルを削除してください",
    MergeTrouble.failed: "書き込みに失敗しました。ディスクを確認してください",
}


@dataclass(frozen=True, slots=True)
class MergesShown:
    """How the merge folder is, and how many files the street's program has not answered."""

    trouble: MergeTrouble | None
    waiting: int


@dataclass(slots=True)
class Standing:
    """How the agent is, as the page shows it; whoever changes it tells the page (`Page.changed`)."""

    terminal: EnrolmentAnswer | None = None
    uplink: UplinkState = "off"
    reader: bool = False
    card: bool = False
    merges: MergesShown = MergesShown(MergeTrouble.no_folder, 0)


@dataclass(frozen=True, slots=True)
class Question:
    """What a citizen is asked to type."""

    kind: Literal["pin", "password"]
    job_id: UUID
    purpose: str
    tries_left: int
    is_more: bool = False
    """Whether the operation goes on without it: a reissued card's signature certificate, for address-change notice."""


@dataclass(frozen=True, slots=True)
class StreetShown:
    """The street's software: whether it is paired, the code it may pair by, the read that waits for a consent."""

    is_paired: bool
    code: str | None
    read_id: UUID | None


@dataclass(frozen=True, slots=True)
class Shown:
    """One page: where it stands, what is asked, what went wrong, what was typed into the enrolment form before."""

    standing: Standing
    token: str
    nonce: str
    version: str
    question: Question | None = None
    number_wanted: bool = False
    street: StreetShown | None = None
    enrolling: bool = False
    fault: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    """A sentence for each field that is to be mended."""


def page(shown: Shown) -> str:
    """The whole page."""
    if shown.question is not None:
        title, main = _question(shown, shown.question)
    elif shown.number_wanted:
        title, main = _number(shown)
    elif shown.street is not None and shown.street.read_id is not None:
        title, main = _consent(shown, shown.street.read_id)
    elif shown.enrolling or shown.standing.terminal is None:
        title, main = _enrolment(shown)
    else:
        title, main = _status(shown, shown.standing.terminal)
    consents = shown.street is not None and shown.street.read_id is not None
    asks = shown.question is not None or shown.number_wanted or consents
    keeps = not asks and (shown.enrolling or shown.standing.terminal is None)
    return _PAGE.substitute(
        title=title,
        failed="エラー：" if shown.fault else "",
        main=_fault(shown) + main,
        nonce=shown.nonce,
        version=shown.version,
        keeps="true" if keeps else "false",
        refresh=f'<noscript><meta http-equiv="refresh" content="{REFRESH_S}"></noscript>'
        if not (asks or keeps)
        else "",
    )


def _fault(shown: Shown) -> str:
    """What went wrong, and links to the fields that are to be mended, in their order."""
    if not shown.fault:
        return ""
    links = "".join(
        f'<li><a href="#{name}">{escape(shown.wrong[name])}</a></li>' for name in FIELDS if name in shown.wrong
    )
    others = "".join(f"<li>{escape(text)}</li>" for name, text in shown.wrong.items() if name not in FIELDS)
    listed = f"<ul>{links}{others}</ul>" if shown.wrong else ""
    return f'<div class="fault" role="alert"><p>{_lines(shown.fault)}</p>{listed}</div>'


def _question(shown: Shown, question: Question) -> tuple[str, str]:
    purpose = PURPOSES.get(question.purpose, _ANY_PURPOSE)
    if question.kind == "pin":
        title, label, hint = "暗証番号の入力", "利用者証明用電子証明書の暗証番号", "数字4桁"
        attributes = 'inputmode="numeric" pattern="[0-9０-９]{4}" maxlength="4"'
    else:
        title, label, hint = "署名用パスワードの入力", "署名用電子証明書のパスワード", "英数字6～16文字"
        attributes = 'minlength="6" maxlength="16" autocapitalize="characters"'
    warning = (
        f'<p class="fault" role="alert">あと{question.tries_left}回間違えるとロックされます。</p>'
        if question.tries_left < TRIES_WORTH_A_WARNING
        else ""
    )
    reason, leave = f"{escape(purpose)}のため、{label}を入力してください。", "取消"
    if question.is_more:
        reason = f"カードが新しくなりました。住所変更通知を続けるため、{label}を入力してください。"
        reason += "「今はしない」を押しても、手続きは続けられます。次にカードを使うときに、もう一度お聞きします。"
        leave = "今はしない"
    job = f'<input type="hidden" name="job_id" value="{question.job_id}">'
    return title, (
        f"<p>{reason}</p>{warning}{_form(shown, '/pin')}{job}"
        f'<label for="secret">{label}<small id="hint">{hint}</small></label>'
        f'<input id="secret" name="secret" type="password" {attributes} autocomplete="off" required autofocus '
        'aria-describedby="hint"><button type="submit">決定</button></form>'
        f'{_form(shown, "/cancel")}{job}<button type="submit" class="quiet">{leave}</button></form>'
    )


def _number(shown: Shown) -> tuple[str, str]:
    return "カード番号の読み取り", (
        "<p>カードの番号を読み取り機で読み取るか、入力してください。</p>"
        f'{_form(shown, "/number")}<label for="number">カード番号</label>'
        '<input id="number" name="number" maxlength="64" autocomplete="off" required autofocus>'
        '<button type="submit">確認</button></form>'
    )


def _consent(shown: Shown, read_id: UUID) -> tuple[str, str]:
    read = f'<input type="hidden" name="read_id" value="{read_id}">'
    return "商店街ポイントIDの通知", (
        "<p>商店街のソフトに、このカードの方の商店街ポイントIDを知らせます。氏名などは知らせません。"
        "よろしければカードをカードリーダーに置き、「同意する」を押してください。</p>"
        f'{_form(shown, "/street-consent")}{read}<button type="submit" name="answer" value="yes">同意する</button>'
        '<button type="submit" name="answer" value="no" class="quiet">同意しない</button></form>'
    )


def _street(shown: Shown, street: StreetShown) -> str:
    state = "接続しています。" if street.is_paired else "接続していません。"
    code = ""
    if street.code is not None:
        code = f"<p>接続コード：<strong>{street.code}</strong>（5分間、1回だけ使えます）</p>"
    end = ""
    if street.is_paired:
        end = (
            f'{_form(shown, "/street-pairing")}<button type="submit" name="act" value="end">接続を解除</button></form>'
        )
    return (
        f"<h2>商店街のソフト</h2><p>{state}</p>{code}{_form(shown, '/street-pairing')}"
        f'<button type="submit" name="act" value="draw">接続コードを表示</button></form>{end}'
    )


def _enrolment(shown: Shown) -> tuple[str, str]:
    of_terminal = "".join(_field(shown, name) for name in FIELDS if name not in CONTACT_FIELDS)
    contact = "".join(_field(shown, name) for name in CONTACT_FIELDS)
    return "端末の登録", (
        "<p>配布された用紙の端末IDとワンタイムパスワード、この端末の連絡先を入力してください。</p>"
        f"{_form(shown, '/enrolment', 'novalidate')}{of_terminal}<h2>連絡先</h2>{contact}"
        '<button type="submit">登録</button></form>'
    )


def _field(shown: Shown, name: str) -> str:
    about, fault = FIELDS[name], shown.wrong.get(name)
    value = "" if about.kind == "password" else escape(shown.typed.get(name, ""))
    told = "" if fault is None else f'<p class="wrong" id="{name}-fault">{escape(fault)}</p>'
    wrong = "" if fault is None else f' aria-invalid="true" aria-describedby="{name}-fault"'
    must, word = (" required", "※必須") if about.required else ("", "任意")
    return (
        f'<label for="{name}">{about.label}<small>{word}</small></label>{told}'
        f'<input id="{name}" name="{name}" type="{about.kind}" value="{value}" '
        f'maxlength="254" autocomplete="{about.fills}"{must}{wrong}>'
    )


def _status(shown: Shown, terminal: EnrolmentAnswer) -> tuple[str, str]:
    rows = {
        "端末ID": terminal.terminal_id,
        "種別": MEANINGS[terminal.kind],
        "設置場所": terminal.place,
        "センターとの接続": _UPLINKS[shown.standing.uplink],
        "カードリーダー": "接続中" if shown.standing.reader else "見つかりません",
        "カード": "挿入されています" if shown.standing.card else "ありません",
    }
    merges = shown.standing.merges
    if merges.trouble is not MergeTrouble.no_folder:
        rows["合算ポイントファイルの受渡しフォルダ"] = _MERGE_TROUBLES[merges.trouble]
        rows["受取待ちの合算ポイントファイル"] = f"{merges.waiting}件"
    listed = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in rows.items())
    street = "" if shown.street is None else _street(shown, shown.street)
    return "端末の状態", f'<dl role="status">{listed}</dl>{street}<p><a href="/enrolment">端末を登録し直す</a></p>'


def _form(shown: Shown, action: str, checks: Literal["", "novalidate"] = "") -> str:
    """With `novalidate` the sentences are ours; a browser would refuse what is typed in full width."""
    return (
        f'<form method="post" action="{action}" autocomplete="off" {checks}>'
        f'<input type="hidden" name="token" value="{shown.token}">'
    )


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.splitlines())


_PAGE: Final = Template("""<!doctype html>
<html lang="ja">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$failed$title ｜ マイキー端末</title>
$refresh
<style nonce="$nonce">
:root { color-scheme: light dark; }
body { font: 1.125rem/1.7 system-ui, sans-serif; margin: 0 auto; max-width: 40rem; padding: 1.5rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 1.5rem; }
label { display: block; margin-top: 1rem; } small { display: block; }
input { box-sizing: border-box; font: inherit; padding: .5rem; width: 100%; }
input[aria-invalid] { border: 3px solid #b00020; }
#secret { font-size: 2rem; letter-spacing: .4em; }
button { font: inherit; margin-top: 1rem; min-height: 3rem; padding: 0 2rem; width: 100%; }
dl > div { border-bottom: 1px solid; display: flex; gap: 1rem; padding: .5rem 0; }
dt { flex: 0 0 40%; } dd { margin: 0; }
.fault { border-left: .5rem solid #b00020; font-weight: bold; padding-left: 1rem; }
.wrong { font-weight: bold; margin: 0; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
$main
</main>
<script nonce="$nonce">
setInterval(async () => {
  try {
    const told = await (await fetch("/version", {cache: "no-store"})).json();
    if (told.version !== "$version" && (told.asks || !$keeps)) location.replace("/");
  } catch { /* the agent stops or starts: asked again */ }
}, 700);
</script>
</body>
</html>
""")
