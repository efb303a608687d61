from __future__ import annotations

from typing import TYPE_CHECKING

from maker import make

if TYPE_CHECKING:
    from kinds import Kind


def use(kind: Kind):
    kind.run()


use(make())
