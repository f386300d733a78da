"""What a system is compared with, and the grid that its rows are counted on."""
