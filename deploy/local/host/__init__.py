"""Resources of this machine: free ports, operating-system users, private files and the checkout."""
