"""Fault injection: real processes are stopped at each step of the share flow, and what is left is checked.

``make faults`` runs everything and writes build/faults.md; ``test_faults.py`` is a short form of it.

The processes of the service run with hooks (``hooks``, ``stores``) that are nowhere in the product: at a
*point* they can be told to say that they are there, and to stand still: so a fault comes at exactly that
moment.
"""
