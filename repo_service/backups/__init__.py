"""What is done with a Moodle backup once it was described: made safe, cut up, compared, held against a site.

Bytes and descriptions in, bytes or plain values out. No database, no web framework.
"""
