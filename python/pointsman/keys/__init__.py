"""Keys: who may ask, as which tenant, for which models, at what rate and for how much."""

from pointsman.keys.folder import KeyFolder
from pointsman.keys.key import Key
from pointsman.keys.keyring import Keyring

__all__ = ["Key", "KeyFolder", "Keyring"]
