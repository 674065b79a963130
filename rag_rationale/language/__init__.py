"""What each language can tell of a text: sentences, spans, content words, polarity, names."""
