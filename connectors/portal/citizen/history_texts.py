"""The ledger's kinds of posting, as people call them (画面52, 54, 56)."""

from collections.abc import Mapping
from typing import Final

from connectors.portal.ground.language import _

_KINDS: Final[Mapping[str, str]] = {
    "credit": "ポイントの移行を受けた",
    "move": "留保ポイントから移行",
    "sweep": "留保期間の終了による自動移行",
    "use": "窓口で利用",
    "use_together": "窓口で利用",
    "expire": "有効期限による失効",
    "grant": "自治体からの付与",
    "coupon": "クーポンコードの利用",
    "voucher_issue": "ポイント券の発行",
    "voucher_redeem": "ポイント券の利用",
    "voucher_expire": "ポイント券の期限切れ",
    "authorise": "オンラインでの支払いの受付",
    "capture": "オンラインでの支払いの確定",
    "void": "オンラインでの支払いの取消",
    "authorisation_expire": "オンラインでの支払いの期限切れ",
    "refund": "返金",
    "merge_send": "商店街ポイントへの合算",
    "merge_acknowledge": "商店街ポイントへの合算の完了",
    "merge_return": "商店街ポイントへの合算の取消",
    "revoke": "マイキーIDの失効による失効",
    "correct": "訂正",
}


def kind_text(kind: str) -> str:
    """What happened; a kind that is new here is called by what it is."""
    return _(_KINDS.get(kind, "その他"))
