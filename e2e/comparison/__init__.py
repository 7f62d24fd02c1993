"""Side by side with what a user would pick instead, on the same cluster and images."""
