"""Running deploy.py on many nodes at once, and reaching nodes for anything else.

Importing this package patches the standard library for gevent, as pyinfra's own command does: it
has to happen before sockets are used.
"""

from gevent import monkey

monkey.patch_all()
