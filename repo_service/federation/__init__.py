"""ActivityPub as data: what an actor, an object, an activity looks like. Values in, plain JSON values out.

Who may see what is decided by the services; nothing here knows of the database or of HTTP.
"""
