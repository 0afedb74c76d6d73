"""Running deploy.py on many nodes at once, and reaching nodes for anything else.

Importing this package patches the standard library for gevent, as pyinfra's own command does: it
has to happen before sockets are used.
"""

from gevent import monkey
from gevent.hub import Hub

monkey.patch_all()

# Ctrl-C ends a command; gevent would print a traceback for it first.
Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
