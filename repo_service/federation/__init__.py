"""Speaking with other servers: ActivityPub as data, signatures, requests to addresses that strangers name.

Values in, plain values out. Who may see what is decided by the services, and nothing here knows the database.
"""
