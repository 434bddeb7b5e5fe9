"""Types that the domains and use cases of every service share. Standard library only."""
