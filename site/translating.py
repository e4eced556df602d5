"""Put messages into templates as they are compiled: pages have many, and each template is compiled once a language."""

import re

from jinja2.ext import InternationalizationExtension

from .tongue import Tongue

PLAIN = re.compile(r'\{\{ _\("([^"]*)"\) \}\}')  # a message without values, and nothing else


class Translating(InternationalizationExtension):
    """`_`, `gettext`, `ngettext` and `{% trans %}` in the language that the environment has as `tongue`."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Say those messages that are the same on every page."""
        tongue = self.environment.globals["tongue"]
        assert isinstance(tongue, Tongue)
        return PLAIN.sub(lambda found: tongue.gettext(found[1]), source)
