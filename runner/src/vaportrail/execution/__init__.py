"""Running a pipeline: what may run next, the driver's loop, the attempt in its worker, notebooks."""
