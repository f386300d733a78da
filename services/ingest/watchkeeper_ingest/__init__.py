"""HTTP in, log out: predictions and labels are accepted once the log has them."""
