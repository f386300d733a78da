"""Log in, measurements out: profiles, windows, metrics, decisions, breaches."""
