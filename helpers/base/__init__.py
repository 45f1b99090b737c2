"""Errors, files, and the formats that the rest of the house agrees on."""
