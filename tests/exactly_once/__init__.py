"""Stories in which a document could be booked twice, lost, or wait for ever: each with its rule."""
