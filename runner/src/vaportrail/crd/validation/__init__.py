"""What must hold of a PipelineRun before anything is created for it."""
