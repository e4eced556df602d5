"""Who a site is made for; it stands apart for those that need to know no more of a page."""

from typing import Literal

Audience = Literal["public", "internal"]
