"""Redaction: which fields are hidden, and what is left of a text that quotes them."""

from typing import Any

import pytest

from wherry.authoring.app import App
from wherry.codec import to_json
from wherry.engine.registry import Registry
from wherry.redaction import HIDDEN, Redactor

DEFAULT = Redactor()


@pytest.mark.parametrize(
    "name",
    [
        "token", "Token", "payment_token", "paymentToken", "payment-token", "TOKEN", "XAuthToken",
        "card", "card_number", "cardNumber", "client_secret", "privateKey", "PIN", "tokens",
        "Authorization", "setCookie",
    ],
)  # fmt: skip
def test_a_name_is_hidden_for_any_of_its_words(name: str) -> None:
    assert DEFAULT.hides(name)


@pytest.mark.parametrize(
    "name", ["", "cardinal", "discard", "company", "span", "pinned", "key", "keep", "x1"]
)  # fmt: skip
def test_part_of_a_word_is_none(name: str) -> None:
    assert not DEFAULT.hides(name)


def test_an_app_may_hide_more_and_apps_add_up() -> None:
    both = App([], redact=["vat_id"]) + App([], redact=["nickName"])
    redactor = Registry(both, 1).redactor

    assert redactor.hides("customer_vat_id")
    assert redactor.hides("nick_name")
    assert redactor.hides("token")
    assert not redactor.hides("vat")


def test_values_are_hidden_at_every_depth_and_whatever_they_are() -> None:
    value: Any = {
        "a": [{"token": "t", "n": 1}], "card": {"number": "4111"}, "pin": 1234, "cvc": [1, 2, 3],
        "secret": None, "b": "token", "c": {"d": {"password": ""}},
    }  # fmt: skip

    assert DEFAULT.shown(value) == {
        "a": [{"token": HIDDEN, "n": 1}], "card": HIDDEN, "pin": HIDDEN, "cvc": HIDDEN,
        "secret": None, "b": "token", "c": {"d": {"password": HIDDEN}},
    }  # fmt: skip
    assert DEFAULT.shown_json(b'{"token":') == HIDDEN
    assert DEFAULT.shown_json('{"token": "t"}') == {"token": HIDDEN}


def test_a_text_loses_what_it_quotes_of_hidden_values() -> None:
    secret = "a\nb'c"
    about = to_json(
        {
            "card": {"number": "4111", "month": 12}, "pin": 98765, "amount": "4.00",
            "secret": secret, "token": "4111-2222",
        }
    )  # fmt: skip
    text = f"4111-2222 and 4111 of 4.00, 98765: {secret} {secret!r} 12"

    said = DEFAULT.scrubbed(text, about)

    assert said == f'{HIDDEN} and {HIDDEN} of 4.00, {HIDDEN}: {HIDDEN} "{HIDDEN}" 12'
    assert DEFAULT.scrubbed(text, b"{") == text
    assert DEFAULT.scrubbed(text, b"") == text
