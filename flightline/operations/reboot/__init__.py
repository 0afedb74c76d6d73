"""The one reboot of a run: only when the live node asks for it, bounded, and proven by its boot id.

need: whether and why; command: going down and coming back; operation: the decision.
"""

from flightline.operations.reboot.operation import reboot_when_needed

__all__ = ["reboot_when_needed"]
