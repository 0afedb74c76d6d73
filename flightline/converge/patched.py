"""Imported before anything that loads pyinfra's command: the standard library waits by gevent.

pyinfra's command patches it anyway when it is loaded; it has to happen before sockets are used.
"""

from gevent import monkey
from gevent.hub import Hub

monkey.patch_all()

# Ctrl-C ends a command; gevent would print a traceback for it first.
Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
