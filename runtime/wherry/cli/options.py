"""The flags that every command has."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

Format = Literal["table", "json", "jsonl"]

#: How the help groups the commands.
RUN = Group("Run", sort_key=1)
ENTITIES = Group("Work with entities", sort_key=2)
OPERATE = Group("Operate", sort_key=3)
PROCESSES = Group("Processes", sort_key=4)

_EVERYWHERE = Group("Everywhere", sort_key=100)


@Parameter(name="*", group=_EVERYWHERE)
@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Flags that say where, and how to print. One that was not given is None."""

    redis_url: Annotated[str | None, Parameter(help="Where Redis is: redis://HOST:6379/0.")] = None
    namespace: Annotated[str | None, Parameter(help="Prefix of all keys.")] = None
    functions: Annotated[str | None, Parameter(help="The folder with the bundles.")] = None
    output: Annotated[
        Format | None,
        Parameter(name=["--output", "-o"], help="Default: table on a terminal, else json."),
    ] = None
    debug: Annotated[
        bool, Parameter(negative="", show_default=False, help="Show where an error comes from.")
    ] = False


#: What a command gets when no flag was given.
NOTHING = Common()

Flag = Parameter(negative="", show_default=False)
