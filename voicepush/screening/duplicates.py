"""
Who came before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from voicepush.screening import runs
from voicepush.screening.msisdn import Texts

if TYPE_CHECKING:
    from voicepush.screening.runs import Keys

#: Up to so many are kept as texts. With a million the collector of garbage, which looks
#: at each of them, and the end of the set would stall the event loop for long.
MOST_TEXTS = 100_000

#: The same of ids, whose hashes cost more than the integers of numbers do.
MOST_IDS = 400_000

#: So many of the texts are turned into integers at a time.
_MOVED = 2048


class Seen:
    """
    Texts that came before; made by `of_numbers` or `of_ids`.

    In a set of texts they are found and added in less time than in anything else, but
    it takes 90 bytes for each, and stalls. So once there are many, whatever comes is
    kept as integers of 64 bits, and so are the texts little by little.

    Numbers are integers anyway. An id becomes its hash, that of Python's sets, whose
    key is another one in each process. Among ten million ids two have the same hash in
    one of 370,000 lists. So there is a second hash, of 32 bits, and only an id both of
    whose hashes came before is taken for one that came before. That goes wrong for one
    id in 150 million such lists.

    Args:
        keys: Turns texts into integers.
        checks: Turns them into others of 32 bits, where different texts may have one
            key.
        most_texts: Up to how many are kept as texts.
        limits: Those of `Integers`, which tests make small.
    """

    def __init__(
        self,
        keys: Callable[[Texts], Keys],
        checks: Callable[[Texts], Keys] | None,
        *,
        most_texts: int = MOST_TEXTS,
        **limits: int,
    ) -> None:
        self._key, self._check = keys, checks
        self._most_texts = most_texts
        self._limits: dict[str, Any] = limits
        self._texts: set[str] = set()
        self._keys: runs.Integers | None = None
        self._checks: runs.Integers | None = None
        self._loading: threading.Thread | None = None

    @classmethod
    def of_numbers(cls, *, most_texts: int = MOST_TEXTS, **limits: int) -> Seen:
        """
        For numbers in normal form.
        """
        return cls(_integers, None, most_texts=most_texts, **limits)

    @classmethod
    def of_ids(cls, *, most_texts: int = MOST_IDS, **limits: int) -> Seen:
        """
        For any texts.
        """
        return cls(_hashes, _second_hashes, most_texts=most_texts, **limits)

    def __len__(self) -> int:
        return len(self._texts) + (0 if self._keys is None else len(self._keys))

    def texts(self) -> Iterator[list[str]]:
        """
        The numbers that came before, sorted in each list; ids are not kept.
        """
        if self._texts:
            yield sorted(self._texts, key=int)
        if self._keys is not None:
            for keys in self._keys.slices():
                yield [f"+{key}" for key in keys]

    def known(self, texts: Texts) -> set[str]:
        """
        Those of *texts* that came before.
        """
        return self._known(texts, None if self._keys is None else self._key(texts))

    def add(self, texts: Texts) -> None:
        """
        From now on *texts* came before; none of them did, nor is any there twice.
        """
        if self._keys is not None:
            self._add_many(texts, self._key(texts))
        else:
            self._texts.update(texts)
            self._look_ahead()

    def repeated(self, texts: Texts) -> Sequence[int]:
        """
        The places of those of *texts* that came before; from now on all did.
        """
        keys = None if self._keys is None else self._key(texts)
        known = self._known(texts, keys)
        if not known:
            if keys is None:
                before = len(self._texts)
                self._texts.update(texts)
                if len(self._texts) == before + len(texts):
                    self._look_ahead()
                    return ()
                self._texts.difference_update(texts)
            elif len(set(texts)) == len(texts):
                self._add_many(texts, keys)
                return ()
        places, new = [], []
        for place, text in enumerate(texts):
            if text in known:
                places.append(place)
            else:
                known.add(text)
                new.append(text)
        self.add(new)
        return places

    def _known(self, texts: Texts, keys: Keys | None) -> set[str]:
        known: set[str] = set()
        if self._texts and not self._texts.isdisjoint(texts):
            known = self._texts.intersection(texts)
        if self._keys is not None and keys is not None:
            found = [texts[place] for place in self._keys.found(keys)]
            if found and self._checks is not None and self._check is not None:
                sure = self._checks.found(self._check(found))
                found = [found[place] for place in sure]
            known.update(found)
        return known

    def _add_many(self, texts: Texts, keys: Keys) -> None:
        self._add_keys(texts, keys)
        if self._texts:
            some = [self._texts.pop() for _ in range(min(_MOVED, len(self._texts)))]
            if not self._texts:
                self._texts = set()  # gives back the table, which popping does not
            self._add_keys(some, self._key(some))

    def _add_keys(self, texts: Texts, keys: Keys) -> None:
        if self._keys is not None:
            self._keys.add(keys)
        if self._checks is not None and self._check is not None:
            self._checks.add(self._check(texts))

    # From few to many.

    def _look_ahead(self) -> None:
        if len(self._texts) <= self._most_texts // 2:
            return
        if not runs.is_loaded():
            # The event loop must not wait for an import; more texts are kept meanwhile.
            if self._loading is None:
                self._loading = threading.Thread(target=runs.load, daemon=True)
                self._loading.start()
        elif len(self._texts) > self._most_texts:
            self._keys = runs.Integers(**self._limits)
            if self._check is not None:
                self._checks = runs.Integers(
                    filtered=False, halved=True, **self._limits
                )


def _integers(numbers: Texts) -> Keys:
    return runs.parsed(numbers)


def _hashes(texts: Texts) -> Keys:
    return runs.column(map(hash, texts), len(texts))


def _second_hashes(texts: Texts) -> Keys:
    # Of another text, and so independent of the first.
    others = map("\n".__add__, texts)
    return runs.column(map(hash, others), len(texts), halved=True)
