"""How values are written into columns."""

import msgspec

from ..model import Check, Outcome, Standing, State

STATES = (State.UP, State.UNKNOWN, State.DEGRADED, State.DOWN)  # a state's number is its place
OUTCOMES = (Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.UNKNOWN)
STATE_CODE = {state: code for code, state in enumerate(STATES)}
OUTCOME_CODE = {outcome: code for code, outcome in enumerate(OUTCOMES)}

_encoder = msgspec.json.Encoder()
to_check = msgspec.json.Decoder(Check).decode
to_standing = msgspec.json.Decoder(Standing).decode


def to_text(value: Check | Standing) -> str:
    """Write a value as JSON, for a strict text column."""
    return _encoder.encode(value).decode()
