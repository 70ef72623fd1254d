"""What was heard: audio in, speech segments and embeddings out."""
