"""Values of tasks: words, dates and times as other tools write them."""
