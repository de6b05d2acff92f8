"""NetBox with its databases behind sockets, for tests/tools/debian13.sh."""

ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "netbox",
        "USER": "postgres",
        "HOST": "/run",
    }
}
REDIS = {
    "tasks": {"URL": "unix:///run/redis.sock"},
    "caching": {"URL": "unix:///run/redis.sock?db=1"},
}
SECRET_KEY = "for-a-test-on-this-machine-only-0123456789-abcdefghij"
API_TOKEN_PEPPERS = {1: "pepper-for-a-test-on-this-machine-only-0123456789-ab"}
AUTH_PASSWORD_VALIDATORS = []
# The exporter requests more: the list has several pages.
MAX_PAGE_SIZE = 4
CENSUS_REPORTING_ENABLED = False
