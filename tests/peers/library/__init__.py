"""A library system, as far as SIP2 2.00 shows it: log in, status, patrons, and not one loan."""
