"""Errors that know whether another try can help. The class docstring is the explanation a person reads."""

from typing import ClassVar


class HubError(Exception):
    """Something went wrong in the hub."""

    permanent: ClassVar[bool] = True
    """Whether the very same try again is sure to fail again."""

    answered: ClassVar[bool] = False
    """Whether it is what another side answered, and so shows that this side is there."""

    def __init__(self, detail: str = "") -> None:
        """`detail` says which thing, by id; never personal data, never a secret."""
        super().__init__(detail or self.explanation())

    @classmethod
    def explanation(cls) -> str:
        """The first sentence of the class docstring."""
        return (cls.__doc__ or cls.__name__).split("\n", 1)[0]

    def in_words(self) -> str:
        """What a command line says: where `detail` is a bare id or name, what is the matter with it too."""
        said = str(self)
        text = said if " " in said else f"{said}: {self.explanation()}"
        return f"{type(self).__name__}: {text}"


class PermanentError(HubError):
    """Another try would fail the same way: somebody has to mend something first."""


class TransientError(HubError):
    """Not now, but another try may succeed."""

    permanent: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, retry_after_s: float = 1.0) -> None:
        """`retry_after_s`: the earliest time at which another try makes sense, in seconds from now."""
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class NotYetError(TransientError):
    """Its turn has not come: it was not tried, which costs no attempt."""


class OutsideError(TransientError):
    """The other side could not be spoken to."""

    def __init__(self, detail: str = "", *, destination: str, retry_after_s: float = 1.0) -> None:
        """`destination` names the other side as its component's `destination_of` does: `smtp`, a party's id."""
        super().__init__(detail, retry_after_s=retry_after_s)
        self.destination = destination


class OutsideDownError(OutsideError):
    """The other side is down as a whole: what waits for it waits on, in order, and that costs no attempts."""


class NoAnswerError(OutsideError):
    """The other side did not answer in time, which may be an accident; several in a row and it counts as down."""


class ComponentPausedError(TransientError):
    """An operator has paused this component: nothing is lost, and it goes on where it was when it is resumed."""


class DeadlineExceededError(TransientError):
    """No answer came in time, so whether it took effect is unknown; asking again with the same id is safe."""


class UnroutableError(PermanentError):
    """No component of this installation handles such a message."""


class ContendedError(TransientError):
    """The same rows were wanted by others again and again; nothing has taken effect."""


class OwnershipLostError(TransientError):
    """Another process has taken over this lane; what was under way here was rolled back."""
