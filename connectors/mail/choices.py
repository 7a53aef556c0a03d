"""Which of a citizen's mail choices governs which notice (mission I.6)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from schemas.notices import NoticeKind


class Choice(StrEnum):
    """The choices that notices about points are sent by; the values are those of MailChoice."""

    on_grant = "on_grant"
    on_expiry = "on_expiry"


CHOICE_OF: Final[Mapping[NoticeKind, Choice]] = {
    NoticeKind.granted: Choice.on_grant,
    NoticeKind.moved: Choice.on_grant,
    NoticeKind.moving_soon: Choice.on_grant,
    NoticeKind.expired: Choice.on_expiry,
    NoticeKind.expiring_soon: Choice.on_expiry,
}
