"""
What was done to forget someone.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.frozen(kw_only=True)
class Forgetting:
    """
    Where someone stood who was forgotten, in numbers and words without them.
    """

    #: The names of campaigns in which they stood.
    campaigns: Sequence[str] = ()
    #: How often they stood in these.
    people: int = 0
    #: How many of these were pending, and are suppressed now.
    suppressed: int = 0
    #: How many were unknown, and are given up now, with who shares an id with them.
    given_up: int = 0
    #: How many bodies of receipts are gone.
    bodies: int = 0
    #: How many other texts were changed.
    texts: int = 0
    #: Whether they were on the suppression list.
    was_listed: bool = False
    #: Whether a hash stays, so that they are not called again.
    is_kept: bool = True
    #: What names them yet, since it belongs to a whole campaign.
    left: Sequence[str] = ()
    #: Where campaigns have gone in which they stood.
    moved_to: Sequence[str] = ()
