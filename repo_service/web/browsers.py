"""Which browser that is, as its owner would say: for the list of their sessions, and for nothing else."""

from __future__ import annotations

from repo_service.domain.texts import text

_ANY = text("Browser")
_ON = " on "

_BROWSERS = (  # most name the one that they are made after as well
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def browser_name(user_agent: str) -> str:
    """``Firefox on Windows``; ``Browser`` for one that does not say: as it is kept for any reader."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), _ANY)
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser}{_ON}{system}" if system else browser


def browser_text(name: str) -> str:
    """A ``browser_name`` to be said."""
    browser, _, system = name.partition(_ON)
    if browser == _ANY:
        browser = _ANY
    return text("%(browser)s on %(system)s", browser=browser, system=system) if system else browser
