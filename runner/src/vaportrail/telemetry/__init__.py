"""From what a process does to lines in its spool: context, values, spans, log records."""
