"""By which name the operating system knows an account."""

import pwd


def account_name(uid: int) -> str:
    """By its number, and not by what the environment says: that is whatever its user has put there."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
