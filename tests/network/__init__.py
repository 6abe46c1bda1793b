"""A whole federation on one machine: three schools publish, HQ keeps the index of all, a mirror follows it.

``make federation`` does it with 10,000 resources of 1,000 people and writes build/federation.md;
``test_network_run.py`` is a short form of it. Every instance is a service of its own (``repo run``) that the
others reach over sockets; nothing is done for them that they would not do by themselves.
"""
