"""Troth keeps the promises of a privacy policy on every request and response.

One line guards an app: ``Middleware(PolicyMiddleware, policy="policies/web", binding="binding.yaml")``.
"""

from troth.asgi.api import consent  # after its modules are loaded: the function goes before the package of that name
from troth.asgi.declaring import declare
from troth.asgi.middleware import PolicyMiddleware, wrap

__all__ = ["PolicyMiddleware", "__version__", "consent", "declare", "wrap"]

__version__ = "0.1.0"
