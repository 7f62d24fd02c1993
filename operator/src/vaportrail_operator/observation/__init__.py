"""From watch events and live reads to one frozen `Observed`."""
