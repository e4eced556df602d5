"""Find services, ask each one how it is, judge the answers and keep the record."""

__version__ = "0.1.0"
