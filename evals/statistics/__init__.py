"""What chance can do to a figure: intervals, paired tests, off-policy estimates, comparison and the gate."""
