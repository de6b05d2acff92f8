"""Configuration of a JupyterHub for tests: `PORT` and `FOLDER` are in the environment. Nobody can sign in; services have tokens."""

import os

from jupyterhub.proxy import Proxy


class NoProxy(Proxy):
    """Requests go to the hub itself."""

    async def add_route(self, routespec, target, data):
        pass

    async def delete_route(self, routespec):
        pass

    async def get_all_routes(self):
        return {}


folder, port = os.environ["FOLDER"], os.environ["PORT"]
c = get_config()  # noqa: F821
c.JupyterHub.proxy_class = NoProxy
c.NoProxy.should_start = False
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{folder}/cookie-secret"
c.JupyterHub.authenticator_class = "null"
# Pages of two users.
c.JupyterHub.api_page_default_limit = c.JupyterHub.api_page_max_limit = 2
c.JupyterHub.services = [
    {"name": name, "api_token": f"{name}-1234567890abcdef"} for name in ("admin", "exporter", "filtered")
]
c.JupyterHub.load_roles = [
    {"name": "all", "services": ["admin"], "scopes": ["admin:users", "tokens"]},
    # The least permission, as the provider's page has it.
    {"name": "token-expiry", "services": ["exporter"], "scopes": ["list:users", "read:tokens"]},
    {"name": "part", "services": ["filtered"], "scopes": ["list:users!user=ada", "read:tokens!user=ada"]},
]
