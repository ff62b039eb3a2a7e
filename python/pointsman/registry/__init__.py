"""Models, providers, deployments and their prices; makes the catalog the core decides on."""

from pointsman.registry.document import build_catalog_document
from pointsman.registry.policies import Policy
from pointsman.registry.prices import Price, PriceEntry, PriceList, price_list
from pointsman.registry.registry import Registry, registry_from_config

__all__ = [
    "Policy",
    "Price",
    "PriceEntry",
    "PriceList",
    "Registry",
    "build_catalog_document",
    "price_list",
    "registry_from_config",
]
