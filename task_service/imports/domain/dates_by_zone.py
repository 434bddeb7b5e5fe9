"""Dates in the time zones of their rows."""

from datetime import date
from functools import cache

from task_service.imports.domain.dates import DateParser, parse_time_zone
from task_service.imports.domain.value_errors import UnknownTimeZone
from task_service.imports.domain.value_options import ValueOptions


class DatesByZone:
    """Parsers of dates, one for each time zone that the rows have."""

    def __init__(self, options: ValueOptions) -> None:
        self._options = options
        self._parser_for = cache(self._new_parser)

    def parse(self, text: str, zone: str = "") -> date:
        """Return the date in a text. Raises MalformedDate, AmbiguousDate, DateWithoutYear."""
        return self._parser_for(zone).parse(text)

    def _new_parser(self, zone: str) -> DateParser:
        """Return the parser for a time zone. An unknown name is ignored."""
        options = self._options
        try:
            name = parse_time_zone(zone) or options.time_zone
        except UnknownTimeZone:
            name = options.time_zone
        return DateParser(options.date_format, options.date_order, name)
