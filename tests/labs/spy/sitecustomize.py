"""Python imports this file as it starts, if its folder is in PYTHONPATH.

From then on it notes, in the file that SPY_NOTES names, who is called over the network.
"""

import os
import sys

NOTES = os.environ.get("SPY_NOTES")


def note(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect"):
        address = arguments[event == "socket.connect"]
        host = address[0] if isinstance(address, tuple) else address
        with open(NOTES, "a") as file:
            print(host, file=file)


if NOTES:
    open(NOTES, "a").close()  # so that one sees that the spy was there
    sys.addaudithook(note)
