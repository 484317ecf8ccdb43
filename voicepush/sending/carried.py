"""
Which of the owner's own correlation ids went over a connection.
"""

from __future__ import annotations

from voicepush.model.batch import Batch

#: So many are remembered of each connection.
_FEW = 1_000


class Carried:
    """
    The own correlation ids that went over one connection.

    A server or proxy may send one answer too many, which the next request on the
    connection reads. Ids that voicepush makes tell whose it is. Owners use theirs
    again in another list, and then the answer on the first looks like one on the
    second.
    """

    def __init__(self) -> None:
        #: Of the latest that had ids of their own. In one list each is there once.
        self._group: object = None
        self._ids: set[str] = set()
        self._are_too_many = False

    def could_answer(self, batch: Batch) -> bool:
        """
        Whether an answer on what it carried could be taken for one on *batch*.
        """
        ids = batch.recipients.correlation_ids
        if ids is None or batch.group is self._group:
            return False
        return self._are_too_many or not self._ids.isdisjoint(ids)

    def add(self, batch: Batch) -> None:
        """
        Note that *batch* goes over the connection.
        """
        ids = batch.recipients.correlation_ids
        if ids is None:
            return
        self._group = batch.group
        if self._are_too_many or len(self._ids) + len(ids) > _FEW:
            self._are_too_many = True
            self._ids.clear()
        else:
            self._ids.update(ids)
            self._ids.discard("")
