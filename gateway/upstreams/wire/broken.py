"""Why an exchange cannot go on."""

from gateway.messages import Reason


class Broken(Exception):
    """There is no answer, or none that can be used. `what` is how the sentence "users (http://…) …" goes on."""

    def __init__(self, reason: Reason, what: str) -> None:
        super().__init__(what)
        self.reason = reason
        self.what = what
