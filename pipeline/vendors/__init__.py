"""Vendors push their own JSON: a mapping for each, in JSONata, makes our events of it.

`load_vendors` reads all that are configured; `Vendor.events` is what a message goes through. How mappings are written:
docs/vendors.md."""

from pipeline.vendors.load import load_vendors
from pipeline.vendors.vendor import Ignored, Vendor

__all__ = ["Ignored", "Vendor", "load_vendors"]
