"""What becomes of each tick of a PipelineSchedule: pure, as the planner of runs is."""
