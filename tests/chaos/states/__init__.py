"""One module for each group of states; a function has the name of its state."""
