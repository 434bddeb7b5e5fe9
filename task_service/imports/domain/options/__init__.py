"""Options of an upload, and the sources that set them for the files of other tools."""
