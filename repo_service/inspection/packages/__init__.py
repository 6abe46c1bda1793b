"""Formats that are a zip with a manifest: learning packages, e-books, office documents."""
