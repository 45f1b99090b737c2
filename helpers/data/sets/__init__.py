"""The data sets, a module each: how one is read, drawn, fetched or made."""
