"""Resources of this machine: free ports, operating-system users and private files."""
