"""What two or more services share: the words, the log, the database, the edges."""
