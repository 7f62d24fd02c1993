"""Running a pipeline: what may run next, the loop, the attempt in its worker, a whole run."""
