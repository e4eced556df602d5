"""What is logged, and how: text for people, JSON for machines that collect it."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

LEVELS = ("debug", "info", "warning", "error", "critical")


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write *record* with its moment, level, logger, message and traceback, if there is one."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start_logging(environ: Mapping[str, str], verbose: int) -> None:
    """Log to standard error as LOG_LEVEL (default warning), `-v` and UPLOG_LOG (text or json) say.

    Raises ValueError with a sentence when a variable holds something else.
    """
    asked, form = environ.get("LOG_LEVEL") or "warning", environ.get("UPLOG_LOG") or "text"
    if asked.lower() not in LEVELS:
        raise ValueError(f'LOG_LEVEL: expected one of {", ".join(LEVELS)}, got "{asked}"')
    if form not in ("text", "json"):
        raise ValueError(f'UPLOG_LOG: expected text or json, got "{form}"')
    level = logging.getLevelNamesMapping()[asked.upper()]
    if verbose:
        level = min(level, logging.INFO if verbose == 1 else logging.DEBUG)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonLines() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if level > logging.DEBUG:
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # its misses become events of ours
