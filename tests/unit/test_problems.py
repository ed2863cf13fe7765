"""What a door shows of what went wrong."""

import pytest

from wherry.engine.envelope import Problem, Result
from wherry.errors import Damaged
from wherry.gateway.problems import of_error, of_result


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("port-closed", 409, 3),
        ("not-found", 404, 4),
        ("invalid", 422, 2),
        ("version-conflict", 412, 5),
        ("handler-failed", 500, 1),
        ("entity-damaged", 500, 1),
    ],
)
def test_a_command_that_was_not_done_says_why(code: str, status: int, exit_code: int) -> None:
    shown = of_result(Result("rejected", problem=Problem(code)))

    assert (shown.code, shown.status, shown.exit_code) == (code, status, exit_code)


@pytest.mark.parametrize(
    "code", ["port-closed", "not-found", "invalid", "handler-failed", "entity-damaged"]
)
def test_a_saga_that_did_not_complete_is_a_conflict_whatever_its_step_said(code: str) -> None:
    shown = of_result(Result("rejected", problem=Problem(code, saga_id="s1")))

    assert (shown.code, shown.status, shown.exit_code) == (code, 409, 8)
    assert shown.extra["saga_id"] == "s1"


def test_an_entity_that_cannot_be_read_is_a_problem_and_not_a_crash() -> None:
    shown = of_error(Damaged("port/p: event 3-0 does not fit the code"))

    assert (shown.code, shown.status) == ("entity-damaged", 500)
