"""Who a site is made for."""

from typing import Literal

Audience = Literal["public", "internal"]
