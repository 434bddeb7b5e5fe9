"""What a task, its history and an import are, and the rules they keep. Standard library only."""
