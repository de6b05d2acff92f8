//! How many requests at once, and how many in a time.
