"""Who may read what, as a value. Knows no Django: `selectors.scope_for` builds it from a user."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class AccessScope:
    """The collections that the asker may read. Required by every search; empty finds nothing."""

    collection_ids: frozenset[str]

    @property
    def is_empty(self) -> bool:
        """True where nothing may be read."""
        return not self.collection_ids

    @property
    def fingerprint(self) -> str:
        """One value per set of rights, hex, 64 characters: salts caches that rights must not share."""
        return hashlib.sha256("\n".join(sorted(self.collection_ids)).encode()).hexdigest()

    def narrowed_to(self, collection_ids: frozenset[str]) -> "AccessScope":
        """The part of this scope within the given collections; never more than this scope."""
        return AccessScope(self.collection_ids & collection_ids)
