"""The contract of what is deployed: plain JSON that can be stored, and compared with the next."""

from typing import Any

from wherry.engine.registry import Registry


def contract_of(registry: Registry) -> dict[str, Any]:
    """Everything that others, or what is stored, may rely on."""
    del registry
    return {}
