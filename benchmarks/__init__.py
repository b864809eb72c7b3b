"""One question per file, peers side by side, ratios from one run. `README.md` says how to read them."""
