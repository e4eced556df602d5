"""Read the record, render the status page, and write it to disk."""
