"""What a card may be asked for, and how it has to prove itself for it: the one table of it.

A tap proves nothing about who holds the card: a certificate can be copied. So it is good only where a clerk at a
registered terminal sees the person, and where nothing is spent, linked or changed by it. Whatever is not in the table
needs the card and its PIN.
"""

from typing import Final

from schemas.cards import How

CREATE_MYKEY_ID: Final = "create-mykey-id"
CHANGE_MYKEY_ID: Final = "change-mykey-id"
REVOKE_MYKEY_ID: Final = "revoke-mykey-id"
LOG_IN: Final = "log-in"
CONFIRM: Final = "confirm"
"""Asked again in a session, before the mail address or the password is changed, or something is linked."""
ADDRESS_NOTICE: Final = "address-notice"
REGISTER_SERVICE_ID: Final = "register-service-id"
LOOK_UP_SERVICE_ID: Final = "look-up-service-id"
REGISTER_PARTICIPANT: Final = "register-participant"
GRANT_POINTS: Final = "grant-points"
MERGE_POINTS: Final = "merge-points"

LOGS_IN: Final = frozenset({LOG_IN, CREATE_MYKEY_ID})
"""A citizen's session may begin by it: whoever has made a MyKey ID just now goes on to My Page by the very card."""

BY_TAP: Final = frozenset({LOOK_UP_SERVICE_ID, REGISTER_PARTICIPANT, GRANT_POINTS})
"""A number is looked up (画面25), a participant noted (76), points granted (79)."""


def is_enough(how: How, purpose: str) -> bool:
    """Whether a card that proved itself so may be used for this."""
    return how == "pin" or purpose in BY_TAP
