"""The API, `/api/v1`: for programs what the console is for people, on the same functions and with the same rights."""

from ml_connector.web.api.mount import mount

__all__ = ["mount"]
