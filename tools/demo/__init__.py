"""The main job on real input: ``spoolog demo``.

Every Python file of a folder becomes a job; workers built with the official SDK hash and tokenize
it; every result is read back and compared with a direct computation. Then all of it again, with the
server killed halfway. Nothing here is part of the server.
"""
