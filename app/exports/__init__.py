"""What people take away: workbooks. They render values that others computed, and compute none."""
