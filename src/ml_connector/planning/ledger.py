"""What earlier runs posted, by name and generation."""

from collections.abc import Sequence

from ml_connector.domain.documents import Document, Kind, PostedDocument
from ml_connector.planning.references import LAST_GENERATION, Name


class Ledger:
    """The posted documents of one record. A document that a posted reversal names is gone, and one that was updated
    stands under the name of its update."""

    def __init__(self, posted: Sequence[PostedDocument]) -> None:
        self._posted = {item.document.reference: item for item in posted}
        self._reversed = {item.document.reverses for item in posted if item.document.kind is Kind.REVERSAL}
        self._reversed |= {item.document.updates for item in posted if item.document.updates}

    def live(self, name: Name) -> PostedDocument | None:
        """The highest generation that stands."""
        standing = self.standing(name)
        return standing[-1] if standing else None

    def standing(self, name: Name) -> tuple[PostedDocument, ...]:
        """All generations that stand, oldest first: of an adjustment each one does."""
        references = (name.reference(generation) for generation in range(1, LAST_GENERATION + 1))
        return tuple(
            self._posted[reference]
            for reference in references
            if reference in self._posted and reference not in self._reversed
        )

    def reversals(self, name: Name) -> tuple[PostedDocument, ...]:
        """The posted reversals of this name, oldest first."""
        references = (name.reversal(generation) for generation in range(1, LAST_GENERATION + 1))
        return tuple(self._posted[reference] for reference in references if reference in self._posted)

    def next_generation(self, name: Name) -> int:
        """The first generation above all that were ever used: one is never used again."""
        used = [0]
        for generation in range(1, LAST_GENERATION + 1):
            reference = name.reference(generation)
            if reference in self._posted or reference in self._reversed:
                used.append(generation)
        return max(used) + 1

    def standing_of(self, *kinds: Kind) -> tuple[PostedDocument, ...]:
        return tuple(
            item
            for reference, item in self._posted.items()
            if item.document.kind in kinds and reference not in self._reversed
        )

    def get(self, reference: str) -> PostedDocument | None:
        return self._posted.get(reference)

    def unused(self, documents: Sequence[Document]) -> tuple[PostedDocument, ...]:
        """What stands in the books and is not among `documents`."""
        named = {document.reference for document in documents}
        named |= {name for document in documents for name in (document.reverses, document.updates)}
        return tuple(
            item
            for reference, item in self._posted.items()
            if reference not in named and reference not in self._reversed
        )

    def __bool__(self) -> bool:
        """Whether anything of the order itself was ever posted; its customer alone does not count."""
        return any(item.document.kind is not Kind.CUSTOMER for item in self._posted.values())
