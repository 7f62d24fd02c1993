"""What a user writes: tasks, notebooks, pipelines, and the handles between them."""
