"""Breaches in, human decisions out: alerts, notifications, tickets, audit, console."""
