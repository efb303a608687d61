"""Everything that crosses the Hugging Face Hub border: self-contained folders, conversion, upload, model cards."""
