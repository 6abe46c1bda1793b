"""Pictures, recordings and PDF documents: what native libraries read in a process of its own.

A module ``…_task`` runs there, and says what it found in plain values; the parser beside it runs in the
service and takes none of that on trust.
"""
