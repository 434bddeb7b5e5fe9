"""Starting, probing, restarting and stopping processes."""
