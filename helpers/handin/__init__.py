"""What a course wants handed in: reports, archives, results, the gallery."""
