"""How often somebody may ask."""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Rate:
    """`burst` at once, and `per_s` from then on."""

    per_s: float
    burst: float
    _left: float | None = field(default=None, init=False)
    _at_s: float = field(default=0.0, init=False)

    def wait_s(self) -> float:
        """Zero, and this one counts; otherwise how long to wait."""
        now_s = asyncio.get_running_loop().time()
        left = self.burst if self._left is None else min(self.burst, self._left + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        self._left = left - 1 if left >= 1 else left
        return 0.0 if left >= 1 else (1 - left) / self.per_s
