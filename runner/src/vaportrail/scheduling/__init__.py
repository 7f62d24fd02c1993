"""When a schedule's runs are due: expressions of cron, time zones, and the timetable that follows."""
