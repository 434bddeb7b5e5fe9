"""CORS: the headers that let pages of other origins call the API, and the answers to preflights."""
