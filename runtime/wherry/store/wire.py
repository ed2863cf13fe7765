"""How our calls are packed: hiredis takes them as they are, so nothing has to be looked at twice."""

from typing import Any

import hiredis
from redis.connection import HiredisRespSerializer


class Packer(HiredisRespSerializer):
    """Packs FCALL without the copy that redis-py makes of each argument. Thousands come at once."""

    def pack(self, *args: Any) -> list[bytes]:
        """Return the words in the Redis protocol."""
        if args[0] == "FCALL":
            return [hiredis.pack_command(args)]
        packed: list[bytes] = super().pack(*args)
        return packed
