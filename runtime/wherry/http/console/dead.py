"""Dead letters: by what went wrong; retry or drop one, those that are chosen, or all.

What many would do is shown first. What is then done is done to exactly those that were shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from wherry.errors import Fault, Invalid, NotFound, Rejected
from wherry.gateway.dead import EVERY, MOST, Verb, Wanted
from wherry.gateway.needs import dead_groups, last_line
from wherry.gateway.shapes import Json
from wherry.http.console.forms import read_form
from wherry.http.console.pages import Pages, back, query
from wherry.http.queries import Query
from wherry.http.service import Service

#: Letters on a page; the groups are those of as many as can be retried at once.
_SHOWN = 100
#: A sentence goes into a cookie.
_LONGEST = 400
_FILTERS = ("entity", "code", "error")
_DONE = {"retry": "sent again", "drop": "dropped"}


@dataclass
class Done:
    """What became of each letter."""

    done: int = 0
    gone: int = 0
    refused: list[str] = field(default_factory=list)

    def said(self, verb: Verb) -> str:
        """The sentence that tells it."""
        parts = [f"{self.done} {'was' if self.done == 1 else 'were'} {_DONE[verb]}"]
        parts += [f"{self.gone} had gone meanwhile"] if self.gone else []
        parts += [f"{len(self.refused)} refused: {self.refused[0]}"] if self.refused else []
        return f"{'; '.join(parts)[:_LONGEST]}."


class DeadPages:
    """The pages of dead letters."""

    def __init__(self, service: Service, pages: Pages) -> None:
        self._service = service
        self._pages = pages

    async def listed(self, request: Request) -> Response:
        """The dead letters, by what went wrong; those that fit the filter, newest first."""
        asked = query(request, *_FILTERS)
        shown = await self._service.read(self._listed, asked)
        return self._pages.show(request, "dead.html", shown)

    def _listed(self, asked: Query) -> Json:
        every = self._service.dead.letters(MOST)["items"]
        wanted = Wanted(asked.text("entity"), asked.text("code"))
        everything = wanted == EVERY and not asked.text("error")
        fitting = every if everything else self._fitting(wanted, asked.text("error"), newest=True)
        return {
            "groups": dead_groups(every),
            "all_seen": len(every) < MOST,
            "filter": {name: asked.text(name) for name in _FILTERS},
            "count": len(fitting),
            "items": fitting[:_SHOWN],
        }

    def _fitting(self, wanted: Wanted, error: str, *, newest: bool) -> list[Json]:
        dead = self._service.dead
        found = dead.letters(MOST, wanted)["items"] if newest else dead.oldest(wanted)
        return [one for one in found if not error or last_line(one["error"]) == error]

    async def show(self, request: Request) -> Response:
        """One dead letter."""
        query(request)
        id_ = request.path_params["id"]
        shown = await self._service.read(self._service.dead.show, id_)
        return self._pages.show(request, "dead_letter.html", shown)

    async def sure(self, request: Request) -> Response:
        """What retrying or dropping some would do, and the button that does it."""
        asked = request.query_params
        shown = {
            "verb": _verb(request),
            "most": MOST,
            "filter": {name: asked.get(name, "") for name in _FILTERS},
            "items": await self._service.read(
                self._chosen, asked, asked.getlist("id"), every=asked.get("which") == "matching"
            ),
        }
        return self._pages.show(request, "dead_sure.html", shown)

    def _chosen(self, asked: Mapping[str, str], ids: list[str], *, every: bool) -> list[Json]:
        """The letters that somebody means, in the order in which they failed."""
        wanted = Wanted(asked.get("entity", ""), asked.get("code", ""))
        fitting = self._fitting(wanted, asked.get("error", ""), newest=False)
        return [letter for letter in fitting if every or letter["id"] in ids]

    async def do(self, request: Request) -> Response:
        """Retry or drop those whose ids the form has."""
        form, verb = await read_form(request), _verb(request)
        said = await self._service.read(self._carry_out, verb, form.all("id"))
        return back(form.back, said)

    def _carry_out(self, verb: Verb, ids: list[str]) -> str:
        dead, done = self._service.dead, Done()
        for id_ in ids[:MOST]:
            try:
                _ = dead.retry(id_) if verb == "retry" else dead.drop(id_)
                done.done += 1
            except NotFound:
                done.gone += 1
            except Rejected as error:
                done.refused.append(str(error))
        return done.said(verb)


def _verb(request: Request) -> Verb:
    given = request.query_params.get("verb", "")
    if given not in _DONE:
        raise Invalid("dead letters", [Fault("/verb", "must be retry or drop")])
    return cast("Verb", given)
