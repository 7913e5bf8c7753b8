"""The ``spoolog`` command: a face like HTTP, for a terminal.

A verb parses, calls a room below and prints. Nothing here changes state any other way than through
a server or the offline verbs that the design names; no queue rule and no log format lives here.
"""
