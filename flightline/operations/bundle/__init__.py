"""A role's files as one operation: one command to compare, one to change, all or nothing.

items: what is wanted; state: what the node has; plan: what differs; script: how it is applied.
"""

from flightline.operations.bundle.items import Absent, Directory, File, Hook, Item, Link, Merge
from flightline.operations.bundle.operation import bundle

__all__ = ["Absent", "Directory", "File", "Hook", "Item", "Link", "Merge", "bundle"]
