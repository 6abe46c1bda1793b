"""Files made by the programs that people make them with: what those were told is what is read."""
