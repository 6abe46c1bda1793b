"""The page on which a person lets a site or an app act for them (RFC 6749, section 3.1), or not.

Moodle opens it in a window of 550 by 550 pixels and waits for that very window to come back
(lib/amd/src/moodlenet/authorize.js): so this page keeps the window's tie to the one that opened it.

Only a person's own decision sends them back by itself. Whatever else is wrong is said here, with a link:
anybody can register a site, and could otherwise send people anywhere by an address of ours (RFC 9700, section
4.11.2).
"""

from __future__ import annotations

from typing import TypeVar

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.identity import ClientState, Scope
from repo_service.domain.redirects import csp_source_of, host_of, is_loopback
from repo_service.http import oauth
from repo_service.http.context import identity
from repo_service.http.read_only import require_writable
from repo_service.web.blueprint import blueprint
from repo_service.web.headers import CONTENT_SECURITY_POLICY
from repo_service.web.rendering import page
from repo_service.web.signing import end_session

Answer = TypeVar("Answer", bound=AnyResponse)

SCOPES_IN_WORDS = {
    Scope.SHARE: (
        "Send files to your account",
        "They arrive as drafts: you look at each here, and decide whether others can see it.",
    ),
    Scope.READ: ("See your resources", "Also drafts and withdrawn ones. And search here for you."),
    Scope.WRITE: ("Change your resources", "Upload, describe, release and withdraw them for you."),
}
"""What is asked for, in a teacher's words, and what that means."""

_REFUSALS = {
    "invalid_client": (
        "This service does not know the site that sent you here. Its administrator has to connect it with "
        "this service once more."
    ),
    "invalid_scope": (
        "The site asks for something that this service does not offer, or that the site did not register "
        "for. Its administrator can help."
    ),
}
_WRONG_ADDRESS = (
    "The address to which you would be sent back is not one that the site has registered. So that nobody "
    "else gets your permission, this ends here. The site's administrator has to connect it with this service "
    "once more."
)
_OTHERWISE = "The site asks in a way that this service does not understand. Its administrator can help."


@blueprint.get(oauth.AUTHORIZE)
def authorise() -> AnyResponse:
    """Ask whether a site may act for the person who is signed in; let them sign in first."""
    require_writable()
    try:
        asked = oauth.authorization_request(request.args)
    except oauth.AuthorizationRefused as refused:
        return _refusal(refused)
    if identity().is_public:
        return _sign_in()
    if asked.client.state is ClientState.PENDING:
        return _question("authorise_pending.html", asked, 403)
    return _question("authorise.html", asked)


@blueprint.post(oauth.AUTHORIZE)
def decide_authorisation() -> AnyResponse:
    """Take the person's answer, for exactly what the address of the page asks."""
    require_writable()
    if identity().is_public:
        return _sign_in()
    if request.form.get("decision") == "switch":
        end_session()
        return _sign_in()
    try:
        asked = oauth.authorization_request(request.args)
    except oauth.AuthorizationRefused as refused:
        return _refusal(refused)
    allowed = request.form.get("decision") == "allow"
    return _keeping_opener(redirect(asked.allowed(identity()) if allowed else asked.denied(), 303))


def _sign_in() -> AnyResponse:
    here = request.full_path.rstrip("?")
    return _keeping_opener(redirect(url_for("web.sign_in", next=here), 303))


def _question(template: str, asked: oauth.AuthorizationRequest, status: int = 200) -> Response:
    answered = page(
        template,
        status,
        host=host_of(asked.redirect_uri),
        scopes=[words for scope, words in SCOPES_IN_WORDS.items() if scope in asked.scopes],
        is_here=is_loopback(asked.redirect_uri),
        is_insecure=asked.redirect_uri.startswith("http:") and not is_loopback(asked.redirect_uri),
        back=asked.unapproved(),
        action=request.full_path,
        waits=asked.client.state is ClientState.PENDING,
    )
    # Browsers hold a form to this also where the answer to it leads: back to the site.
    answered.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
        "form-action 'self'", f"form-action 'self' {csp_source_of(asked.redirect_uri)}"
    )
    answered.headers["X-Frame-Options"] = "DENY"
    return _keeping_opener(answered)


def _refusal(refused: oauth.AuthorizationRefused) -> Response:
    explanation = _REFUSALS.get(refused.error, _OTHERWISE)
    if refused.back is None and refused.error == "invalid_request":
        explanation = _WRONG_ADDRESS
    return _keeping_opener(
        page(
            "authorise_refused.html",
            400,
            explanation=explanation,
            error=refused.error,
            back=refused.back,
            host=None if refused.redirect_uri is None else host_of(refused.redirect_uri),
        )
    )


def _keeping_opener(answer: Answer) -> Answer:
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return answer
