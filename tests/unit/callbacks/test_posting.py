from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.callbacks.posting import read_retry_after, sign

NEW = Webhook("whsec_" + "bmV3" * 8)
OLD = Webhook("whsec_" + "b2xk" * 8)
BODY = '{"asyncId":"1","results":["ö"]}'.encode()


def now() -> float:
    return datetime.now(UTC).timestamp()


def test_every_secret_signs_so_that_receivers_can_change_to_a_new_one() -> None:
    headers = sign([NEW, OLD], "msg_1", now(), BODY)
    assert NEW.verify(BODY, headers) == OLD.verify(BODY, headers) == {"asyncId": "1", "results": ["ö"]}
    assert len(headers["webhook-signature"].split(" ")) == 2


def test_another_body_secret_or_id_is_found_out() -> None:
    headers = sign([NEW], "msg_1", now(), BODY)
    for webhook, body, changed in [(NEW, BODY + b" ", {}), (OLD, BODY, {}), (NEW, BODY, {"webhook-id": "msg_2"})]:
        with pytest.raises(WebhookVerificationError, match="No matching signature found"):
            webhook.verify(body, headers | changed)


@pytest.mark.parametrize(("off", "message"), [(-301, "too old"), (301, "too new")])
def test_a_callback_that_is_played_again_later_is_found_out(off: int, message: str) -> None:
    headers = sign([NEW], "msg_1", (datetime.now(UTC) + timedelta(seconds=off)).timestamp(), BODY)
    with pytest.raises(WebhookVerificationError, match=message):
        NEW.verify(BODY, headers)


def test_without_a_secret_there_is_no_signature() -> None:
    assert sign([], "msg_1", 1_700_000_000.9, BODY) == {"webhook-id": "msg_1", "webhook-timestamp": "1700000000"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("٣", None),
        ("0", 0.0),
        ("120", 120.0),
        ("9" * 5000, 9_999_999_999.0),
        ("Tue, 14 Nov 2023 22:15:00 GMT", 100.0),
        ("Tue, 14 Nov 2023 22:15:00 -0000", 100.0),
        ("Mon, 13 Nov 2023 22:15:00 GMT", 0.0),
        ("Mon, 99 Nov 2023 22:15:00 GMT", None),
    ],
    ids=str,
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, 1_700_000_000.0) == seconds
