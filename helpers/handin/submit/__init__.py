"""What each course wants handed in, built from the runs and checked."""
