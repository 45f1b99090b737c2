"""The cellar: errors, files, and the two file formats that the rest of the house agrees
on.
"""
